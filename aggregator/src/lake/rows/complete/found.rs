//! What is known of the pods of a file's rows, by column, its texts numbers of the file's pool. Each pod is looked up once, each
//! text and each list comes into the pool once: no row costs an allocation.

use super::{
    super::{
        known::{Facts, ListId, PodFacts, PodId, TextId},
        stored::Span,
        texts::{ABSENT, Pool, as_u32},
    },
    LISTS, LONGS, TEXTS, TextColumn,
};

/// See the module.
#[derive(Default)]
pub struct Found {
    /// The pod of each row, or [`ABSENT`].
    rows: Vec<u32>,
    pods: usize,
    /// In the order of [`TEXTS`]; [`ABSENT`] where nothing is known.
    pub texts: [Vec<u32>; TEXTS.len()],
    /// In the order of [`LONGS`].
    pub longs: [Vec<Amount>; LONGS.len()],
    pub host_network: Vec<bool>,
    /// In the order of [`LISTS`].
    pub lists: [Lists; LISTS.len()],
}

/// A number that is never below zero, if there is one, in no more room than the number.
#[derive(Clone, Copy)]
pub struct Amount(i64);

impl Amount {
    fn new(amount: Option<i64>) -> Self {
        Self(amount.unwrap_or(-1))
    }

    /// The number.
    pub fn get(self) -> Option<i64> {
        Some(self.0).filter(|amount| *amount >= 0)
    }
}

/// Lists of one column.
#[derive(Default)]
pub struct Lists {
    /// Where each pod's is among the items.
    pub spans: Vec<Span>,
    pub items: Vec<u32>,
    /// Where those are that are there already, by their numbers.
    known: Vec<Span>,
}

/// Which columns are completed.
pub struct Wanted {
    /// In the order of [`TEXTS`].
    pub texts: [bool; TEXTS.len()],
    /// All others.
    pub others: bool,
}

/// Brings texts into the pool.
struct Texts<'a> {
    pool: &'a mut Pool,
    facts: &'a dyn Facts,
    /// Numbers in the pool of those that are there already, by their own.
    known: Vec<u32>,
    volumes: Vec<TextId>,
}

/// Rows whose pods are looked up together, one step for all of them after the other: most of what a look-up takes is waiting for
/// memory, and short steps wait for many at once.
const TOGETHER: usize = 256;
/// Nobody has looked for this pod yet.
const UNSEEN: u32 = u32::MAX - 1;

impl Found {
    /// Looks up the pods of these rows.
    pub fn new(ids: &[u32], wanted: &Wanted, pool: &mut Pool, facts: &dyn Facts) -> Self {
        let (text_ids, list_ids) = facts.ends();
        let mut found = Self::default();
        found.rows.reserve_exact(ids.len());
        if wanted.others {
            let [labels, annotations, claims, _] = &mut found.lists;
            for lists in [labels, annotations, claims] {
                lists.known = vec![Span::ABSENT; list_ids];
            }
        }
        let mut seen = vec![UNSEEN; pool.len()];
        let mut texts = Texts {
            pool,
            facts,
            known: vec![ABSENT; text_ids],
            volumes: Vec::new(),
        };
        let (mut asked, mut pods) = (Vec::new(), Vec::new());
        for ids in ids.chunks(TOGETHER) {
            found.ask(ids, &mut seen, &texts, &mut asked);
            pods.clear();
            for (row, id, pod) in asked.drain(..) {
                let seen = &mut seen[id as usize];
                if *seen == UNSEEN {
                    let pod = facts.pod(pod);
                    let number = as_u32(found.pods + pods.len());
                    *seen = pod.map_or(ABSENT, |_| number);
                    pods.extend(pod);
                }
                found.rows[row] = *seen;
            }
            found.add(&pods, wanted, &mut texts);
        }
        found
    }

    /// Finds the pods of rows: those seen before, and for the others the row, the pod's number in the pool, and its own.
    fn ask(
        &mut self,
        ids: &[u32],
        seen: &mut [u32],
        texts: &Texts<'_>,
        asked: &mut Vec<(usize, u32, PodId)>,
    ) {
        for id in ids {
            let mut pod = ABSENT;
            if let Some(seen) = seen.get_mut(*id as usize) {
                if *seen == UNSEEN {
                    match texts.facts.find(texts.pool.get(*id)) {
                        Some(pod) => asked.push((self.rows.len(), *id, pod)),
                        None => *seen = ABSENT,
                    }
                }
                pod = *seen;
            }
            self.rows.push(pod);
        }
    }

    /// No pod is known.
    pub fn is_empty(&self) -> bool {
        self.pods == 0
    }

    /// What the pod of a row has among these.
    pub fn of<T: Copy>(&self, values: &[T], row: usize) -> Option<T> {
        let pod = self.rows.get(row)?;
        values.get(*pod as usize).copied()
    }

    fn add(&mut self, pods: &[PodFacts<'_>], wanted: &Wanted, texts: &mut Texts<'_>) {
        self.pods += pods.len();
        let columns = self.texts.iter_mut().zip(wanted.texts);
        for ((values, wanted), column) in columns.zip(TEXTS) {
            if wanted {
                values.extend(pods.iter().map(|pod| texts.of_column(pod, &column)));
            }
        }
        if !wanted.others {
            return;
        }
        self.host_network
            .extend(pods.iter().map(|pod| pod.host_network));
        let [labels, annotations, claims, _] = &mut self.lists;
        for pod in pods {
            labels.push(pod.labels, texts);
        }
        for pod in pods {
            annotations.push(pod.annotations, texts);
        }
        for pod in pods {
            claims.push(Some(pod.claim_names), texts);
        }
        for pod in pods {
            self.add_numbers(pod, texts);
        }
    }

    /// What it asks for, and what its claims come to.
    fn add_numbers(&mut self, pod: &PodFacts<'_>, texts: &mut Texts<'_>) {
        let [.., volumes] = &mut self.lists;
        texts.volumes.clear();
        let storage = texts.facts.storage(pod, &mut texts.volumes);
        volumes.push_volumes(storage.has_all_volumes, texts);
        let ([cpu, memory], [cpu_limit, memory_limit]) = (pod.requests, pod.limits);
        let count = i64::from(as_u32(pod.claims.len()));
        let row = [
            cpu,
            memory,
            cpu_limit,
            memory_limit,
            Some(count),
            storage.bytes,
        ];
        for (column, value) in self.longs.iter_mut().zip(row) {
            column.push(Amount::new(value));
        }
    }
}

impl Lists {
    fn push(&mut self, list: Option<ListId>, texts: &mut Texts<'_>) {
        let known = list.and_then(|list| self.known.get_mut(list.0 as usize));
        let (Some(list), Some(known)) = (list, known) else {
            self.spans.push(Span::ABSENT);
            return;
        };
        if known.is_absent() {
            let facts = texts.facts;
            *known = Span::next(&self.items, facts.list(list).len());
            let items = facts.list(list).iter().map(|text| texts.of(*text));
            self.items.extend(items);
        }
        self.spans.push(*known);
    }

    /// The volumes that were found, if those are all.
    fn push_volumes(&mut self, has_all: bool, texts: &mut Texts<'_>) {
        let volumes = std::mem::take(&mut texts.volumes);
        let span = match has_all {
            true => Span::next(&self.items, volumes.len()),
            false => Span::ABSENT,
        };
        if has_all {
            self.items
                .extend(volumes.iter().map(|volume| texts.of(*volume)));
        }
        self.spans.push(span);
        texts.volumes = volumes;
    }
}

impl Texts<'_> {
    fn of(&mut self, id: TextId) -> u32 {
        let Some(known) = self.known.get_mut(id.0 as usize) else {
            return ABSENT;
        };
        if *known == ABSENT {
            *known = self.pool.add(self.facts.text(id));
        }
        *known
    }

    fn of_column(&mut self, pod: &PodFacts<'_>, column: &TextColumn) -> u32 {
        match (column.of)(pod) {
            Some(id) => self.of(id),
            None if column.or_name => self.pool.add(pod.name),
            None => ABSENT,
        }
    }
}
