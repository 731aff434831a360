//! Requests and answers.

use bytes::Bytes;
use prost::Message as _;

use super::{
    NAME_BYTES,
    fault::{malformed, too_large},
    read::name,
    reader::{Reader, Value, epoch, text},
    schema,
};
use crate::{Ack, Answer, Epoch, Invalid, Limits, Message, batch::VERSION};

/// A request's body.
pub fn encode_message(message: &Message) -> Vec<u8> {
    let request = schema::Request {
        version: VERSION,
        node: message.node.clone(),
        batches: message.batches.clone(),
        asks: message.asks.iter().map(|ask| ask.0.to_vec()).collect(),
    };
    request.encode_to_vec()
}

/// Reads a request's body; its batches are slices of it.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the message goes on living in its batches"
)]
pub fn decode_message(body: Bytes, limits: &Limits) -> Result<Message, Invalid> {
    if body.len() > limits.message_bytes {
        let message = format!("{} bytes, at most {}", body.len(), limits.message_bytes);
        return Err(too_large("message", message));
    }
    let mut message = Message::default();
    let mut reader = Reader::new("message", &body);
    reader.version()?;
    while let Some((number, value)) = reader.next()? {
        match (number, value) {
            (2, Value::Bytes(bytes)) if message.node.is_empty() => {
                message.node = name("message.node", bytes)?;
            }
            (3, Value::Bytes(bytes)) => {
                let at = message.batches.len();
                bounded("message.batches", at, limits.batches)?;
                if bytes.is_empty() {
                    return Err(malformed(format!("message.batches[{at}]"), "is empty"));
                }
                message.batches.push(body.slice_ref(bytes));
            }
            (4, Value::Bytes(bytes)) => {
                let at = message.asks.len();
                bounded("message.asks", at, limits.batches)?;
                message.asks.push(epoch("message.asks", bytes)?);
            }
            _ => return reader.unknown(number),
        }
    }
    if message.node.is_empty() {
        return Err(malformed("message.node", "is empty"));
    }
    Ok(message)
}

fn bounded(field: &str, before: usize, most: usize) -> Result<(), Invalid> {
    match before < most {
        true => Ok(()),
        false => Err(too_large(field, format!("more than {most}"))),
    }
}

/// An answer's body.
pub fn encode_ack(ack: &Ack) -> Vec<u8> {
    let answer = |answer: &Answer| schema::Answer {
        epoch: answer.epoch.0.to_vec(),
        received: answer.received,
        committed: answer.committed,
        expect: answer.expect,
    };
    let ack = schema::Ack {
        version: VERSION,
        instance: ack.instance.0.to_vec(),
        table_id: ack.table_id.clone(),
        answers: ack.answers.iter().map(answer).collect(),
    };
    ack.encode_to_vec()
}

/// Reads an answer's body. Its size bounds what is allocated: an answer is half as large on the wire.
pub fn decode_ack(body: &[u8]) -> Result<Ack, Invalid> {
    let mut reader = Reader::new("ack", body);
    reader.version()?;
    let (mut instance, mut table_id, mut answers) = (None, None, Vec::new());
    while let Some((number, value)) = reader.next()? {
        match (number, value) {
            (2, Value::Bytes(bytes)) if instance.is_none() => {
                instance = Some(epoch("ack.instance", bytes)?);
            }
            (3, Value::Bytes(bytes)) if table_id.is_none() => {
                table_id = Some(text("ack.table_id", bytes, NAME_BYTES)?);
            }
            (4, Value::Bytes(bytes)) => answers.push(answer(bytes)?),
            _ => return reader.unknown(number),
        }
    }
    Ok(Ack {
        instance: instance.ok_or_else(|| malformed("ack.instance", "is absent"))?,
        table_id: table_id.unwrap_or_default(),
        answers,
    })
}

fn answer(bytes: &[u8]) -> Result<Answer, Invalid> {
    let mut reader = Reader::new("ack.answers", bytes);
    let mut of = None;
    let mut answer = Answer {
        epoch: Epoch::default(),
        received: 0,
        committed: 0,
        expect: None,
    };
    while let Some((number, value)) = reader.next_once()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => of = Some(epoch("ack.answers.epoch", bytes)?),
            (2, Value::Number(received)) => answer.received = received,
            (3, Value::Number(committed)) => answer.committed = committed,
            (4, Value::Number(expect)) => answer.expect = Some(expect),
            _ => return reader.unknown(number),
        }
    }
    answer.epoch = of.ok_or_else(|| malformed("ack.answers.epoch", "is absent"))?;
    Ok(answer)
}
