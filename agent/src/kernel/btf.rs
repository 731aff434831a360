//! Where fields lie in the running kernel's structs, from its BTF. Only as much of the format as
//! that takes; every index is checked, since a file is foreign bytes.

use std::{fs, path::Path};

use agent_common::control::Offsets;

/// The running kernel's own type information.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
/// Structs nested without a name are searched this deep.
const MAX_DEPTH: u32 = 4;

/// What is wrong with the type information.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file can't be read.
    #[error("reading {VMLINUX}: the kernel needs CONFIG_DEBUG_INFO_BTF")]
    Read(#[source] std::io::Error),
    /// The bytes are not BTF.
    #[error("{VMLINUX} is not valid BTF: {0}")]
    Malformed(&'static str),
    /// A struct or field that the programs read does not exist.
    #[error("this kernel has no field {structure}.{field}, so its cgroups can't be told apart")]
    NoField {
        /// Name of the struct.
        structure: &'static str,
        /// Name of the field.
        field: &'static str,
    },
}

/// Reads the offsets that the programs need.
pub fn read_offsets(path: &Path) -> Result<Offsets, BtfError> {
    let bytes = fs::read(path).map_err(BtfError::Read)?;
    offsets(&Btf::parse(&bytes)?)
}

fn offsets(btf: &Btf<'_>) -> Result<Offsets, BtfError> {
    Ok(Offsets {
        task_cgroups: btf.offset("task_struct", "cgroups")?,
        css_set_dfl_cgrp: btf.offset("css_set", "dfl_cgrp")?,
        cgroup_kn: btf.offset("cgroup", "kn")?,
        cgroup_root: btf.offset("cgroup", "root")?,
        cgroup_level: btf.offset("cgroup", "level")?,
        cgroup_root_hierarchy_id: btf.offset("cgroup_root", "hierarchy_id")?,
        kernfs_node_id: btf.offset("kernfs_node", "id")?,
        task_signal: btf.offset("task_struct", "signal")?,
        task_exit_code: btf.offset("task_struct", "exit_code")?,
        signal_live: btf.offset("signal_struct", "live")?,
        signal_maxrss: btf.offset("signal_struct", "maxrss")?,
        task_tgid: btf.offset("task_struct", "tgid")?,
        task_group_leader: btf.offset("task_struct", "group_leader")?,
        task_comm: btf.offset("task_struct", "comm")?,
    })
}

/// Types of a BTF file, by index into its bytes.
struct Btf<'a> {
    bytes: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins; type 1 is the first.
    types: Vec<u32>,
}

/// Head of one type.
struct Type {
    name: u32,
    kind: u32,
    members: u32,
    /// Member offsets share their word with a bit-field size.
    has_bit_fields: bool,
    at: usize,
}

impl<'a> Btf<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let magic = bytes
            .get(..2)
            .and_then(|magic| magic.try_into().ok())
            .map(u16::from_ne_bytes);
        if magic != Some(MAGIC) {
            return Err(BtfError::Malformed("wrong magic number"));
        }
        let header = word(bytes, 4)? as usize;
        let types = section(bytes, header, word(bytes, 8)?, word(bytes, 12)?)?;
        let strings = section(bytes, header, word(bytes, 16)?, word(bytes, 20)?)?;
        let mut btf = Self {
            bytes: types,
            strings,
            types: Vec::new(),
        };
        let mut at = 0;
        while at < types.len() {
            btf.types.push(at as u32);
            let head = btf.type_at(at)?;
            at += 12 + trailing_bytes(&head)?;
        }
        Ok(btf)
    }

    fn type_at(&self, at: usize) -> Result<Type, BtfError> {
        let info = word(self.bytes, at + 4)?;
        Ok(Type {
            name: word(self.bytes, at)?,
            kind: (info >> 24) & 0x1f,
            members: info & 0xffff,
            has_bit_fields: info >> 31 == 1,
            at,
        })
    }

    fn name_is(&self, name: u32, wanted: &str) -> bool {
        let rest = self.strings.get(name as usize..).unwrap_or_default();
        rest.strip_prefix(wanted.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }

    fn offset(&self, structure: &'static str, field: &'static str) -> Result<u32, BtfError> {
        for at in &self.types {
            let head = self.type_at(*at as usize)?;
            if head.kind == KIND_STRUCT
                && self.name_is(head.name, structure)
                && let Some(bits) = self.find(&head, field, 0)?
            {
                return Ok(bits / 8);
            }
        }
        Err(BtfError::NoField { structure, field })
    }

    /// Bit offset of a field, looked for inside unnamed members as well.
    fn find(&self, head: &Type, field: &str, depth: u32) -> Result<Option<u32>, BtfError> {
        for member in 0..head.members as usize {
            let at = head.at + 12 + member * 12;
            let (name, kind, offset) = (
                word(self.bytes, at)?,
                word(self.bytes, at + 4)?,
                word(self.bytes, at + 8)?,
            );
            let bits = if head.has_bit_fields {
                offset & 0x00ff_ffff
            } else {
                offset
            };
            if self.name_is(name, field) {
                return Ok(Some(bits));
            }
            if name == 0
                && depth < MAX_DEPTH
                && let Some(nested) = (kind as usize)
                    .checked_sub(1)
                    .and_then(|i| self.types.get(i))
            {
                let nested = self.type_at(*nested as usize)?;
                if matches!(nested.kind, KIND_STRUCT | KIND_UNION)
                    && let Some(inner) = self.find(&nested, field, depth + 1)?
                {
                    return Ok(Some(bits + inner));
                }
            }
        }
        Ok(None)
    }
}

/// Bytes that follow the head of a type.
fn trailing_bytes(head: &Type) -> Result<usize, BtfError> {
    let members = head.members as usize;
    match head.kind {
        // Integers, variables and declaration tags.
        1 | 14 | 17 => Ok(4),
        // Arrays.
        3 => Ok(12),
        // Structs, unions, data sections and 64-bit enums.
        4 | 5 | 15 | 19 => Ok(members * 12),
        // Enums and function prototypes.
        6 | 13 => Ok(members * 8),
        // Pointers, forwards, typedefs, qualifiers, functions, floats and type tags.
        2 | 7..=12 | 16 | 18 => Ok(0),
        _ => Err(BtfError::Malformed("unknown kind of type")),
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    bytes
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_ne_bytes)
        .ok_or(BtfError::Malformed("it ends too early"))
}

fn section(bytes: &[u8], header: usize, at: u32, length: u32) -> Result<&[u8], BtfError> {
    let start = header + at as usize;
    bytes
        .get(start..start + length as usize)
        .ok_or(BtfError::Malformed("a section reaches past its end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct `outer { int a; struct { int b; }; }` as BTF.
    fn sample() -> Vec<u8> {
        let strings = b"\0outer\0a\0b\0";
        let types: &[u32] = &[
            0,
            1 << 24,
            4,
            32, // 1: int
            0,
            (4 << 24) | 1,
            4,
            9,
            1,
            0, // 2: struct { b }
            1,
            (4 << 24) | 2,
            8,
            7,
            1,
            0,
            0,
            2,
            32, // 3: outer
        ];
        let type_bytes = types.len() as u32 * 4;
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, type_bytes, type_bytes, strings.len() as u32] {
            bytes.extend_from_slice(&u32::to_ne_bytes(word));
        }
        types
            .iter()
            .for_each(|word| bytes.extend_from_slice(&word.to_ne_bytes()));
        bytes.extend_from_slice(strings);
        bytes
    }

    #[test]
    fn fields_are_found_inside_unnamed_structs_too() {
        let bytes = sample();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.offset("outer", "a").unwrap(), 0);
        assert_eq!(btf.offset("outer", "b").unwrap(), 4);
        assert!(matches!(
            btf.offset("outer", "c"),
            Err(BtfError::NoField { field: "c", .. })
        ));
    }

    #[test]
    fn every_truncation_is_an_error_and_no_panic() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert!(
                Btf::parse(&bytes[..length]).is_err(),
                "{length} bytes were believed"
            );
        }
    }
}
