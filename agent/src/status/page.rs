//! Writes the Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::words::Word;

/// The content type of a page.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A page that grows without moving until it has `bytes`.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// The text.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// All samples of one metric. Without samples it is not mentioned.
    pub(super) fn family<'a, V: Display>(
        &mut self,
        word: &Word,
        samples: impl IntoIterator<Item = (&'a [&'a str], V)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            self.head(word);
        }
        for (labels, value) in samples {
            self.sample(word, "", labels, value);
        }
    }

    /// A metric without labels that may be unknown.
    pub(super) fn single<V: Display>(&mut self, word: &Word, value: Option<V>) {
        self.family(word, value.map(|value| (&[][..], value)));
    }

    /// What stands before a metric's samples.
    pub(super) fn head(&mut self, word: &Word) {
        let (name, kind) = (word.name, word.kind.name());
        self.write(format_args!("# HELP {name} "));
        self.escaped(word.help, false);
        self.write(format_args!("\n# TYPE {name} {kind}\n"));
    }

    /// One line. `values` are those of the first labels of the word.
    pub(super) fn sample(
        &mut self,
        word: &Word,
        suffix: &str,
        values: &[&str],
        value: impl Display,
    ) {
        self.write(format_args!("{}{suffix}", word.name));
        for (index, (label, text)) in word.labels.iter().zip(values).enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            self.write(format_args!("{label}=\""));
            self.escaped(text, true);
            self.0.push('"');
        }
        if !values.is_empty() {
            self.0.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    fn escaped(&mut self, text: &str, quotes: bool) {
        for letter in text.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '"' if quotes => self.0.push_str("\\\""),
                _ => self.0.push(letter),
            }
        }
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        // A string takes everything; what a value can't write of itself is not there.
        self.0.write_fmt(arguments).unwrap_or_default();
    }
}
