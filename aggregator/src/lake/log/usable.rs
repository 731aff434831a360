//! Which tables this build may write.

use serde::Deserialize;

use super::{PARTITION_COLUMNS, Snapshot};

/// What a writer of version 7 may be asked for and this one does anyway: it takes no rows out of a table whose
/// `delta.appendOnly` is set, and the schemas that it accepts have no invariants.
const WRITER_FEATURES: [&str; 2] = ["appendOnly", "invariants"];

#[derive(Debug, Deserialize)]
struct Schema {
    fields: Vec<Field>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: serde_json::Value,
    nullable: bool,
    #[serde(default)]
    metadata: serde_json::Map<String, serde_json::Value>,
}

impl Snapshot {
    /// Says why this table must not be written by a build whose schema is `schema`.
    pub fn unusable(&self, schema: &str) -> Option<String> {
        self.foreign_features()
            .or_else(|| self.expiring())
            .or_else(|| self.other_partitions())
            .or_else(|| self.other_schema(schema))
    }

    fn foreign_features(&self) -> Option<String> {
        let needs = &self.requirements;
        let (reader, writer) = (needs.min_reader_version, needs.min_writer_version);
        let known = |list: &Option<Vec<String>>, known: &[&str]| {
            let unknown = list
                .iter()
                .flatten()
                .find(|name| !known.contains(&name.as_str()));
            unknown.cloned()
        };
        let feature = known(&needs.reader_features, &[])
            .or_else(|| known(&needs.writer_features, &WRITER_FEATURES));
        if let Some(feature) = feature {
            return Some(format!(
                "it needs the feature {feature}, which this build does not have; let no other program \
                 change the table, or use another prefix"
            ));
        }
        let is_known = matches!(reader, 1 | 3) && (matches!(writer, 1 | 2) || writer == 7);
        (!is_known).then(|| {
            format!(
                "it needs reader version {reader} and writer version {writer}; this build knows 1 and \
                 2; let no other program change the table, or use another prefix"
            )
        })
    }

    /// Transactions that expire would take the watermark with them.
    fn expiring(&self) -> Option<String> {
        const KEY: &str = "delta.setTransactionRetentionDuration";
        let is_set = self.metadata.configuration.contains_key(KEY);
        is_set.then(|| format!("its property {KEY} would forget what is committed; unset it"))
    }

    fn other_partitions(&self) -> Option<String> {
        let found = &self.metadata.partition_columns;
        (*found != PARTITION_COLUMNS).then(|| {
            format!(
                "it is partitioned by {found:?}, not by {PARTITION_COLUMNS:?}; use another prefix"
            )
        })
    }

    /// Every column of ours must be there and alike. Further ones are a newer build's, if they may be
    /// absent.
    fn other_schema(&self, schema: &str) -> Option<String> {
        let parse = |text: &str| serde_json::from_str::<Schema>(text);
        let (ours, theirs) = match (parse(schema), parse(&self.metadata.schema_string)) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(error), _) | (_, Err(error)) => {
                return Some(format!("its schema can't be understood: {error}"));
            }
        };
        for field in &ours.fields {
            let name = &field.name;
            match theirs.fields.iter().find(|other| other.name == *name) {
                None => {
                    return Some(format!(
                        "it has no column {name}: an older build made it; use another prefix"
                    ));
                }
                Some(other) if other.is_as(field) => {}
                Some(_) => {
                    return Some(format!(
                        "its column {name} is of another kind than this build's; use another prefix"
                    ));
                }
            }
        }
        let is_new = |field: &&Field| !ours.fields.iter().any(|own| own.name == field.name);
        let strange = theirs
            .fields
            .iter()
            .filter(is_new)
            .find(|field| !field.nullable);
        strange.map(|field| {
            let name = &field.name;
            format!("its column {name}, which must have a value, is not known to this build")
        })
    }
}

impl Field {
    /// A rule in its metadata that a writer has to keep makes a column another.
    fn is_as(&self, other: &Self) -> bool {
        let rules = |field: &Self| {
            let is_rule = |name: &&String| name.starts_with("delta.");
            field.metadata.keys().filter(is_rule).count()
        };
        self.kind == other.kind && self.nullable == other.nullable && rules(self) == rules(other)
    }
}
