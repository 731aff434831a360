//! What is known of the pods of a file's rows, by column, its texts numbers of the file's pool. Each pod is looked up once, each
//! text and each list comes into the pool once: no row costs an allocation.

use super::{
    super::{
        known::{Facts, ListId, PodFacts, TextId},
        stored::Span,
        texts::{ABSENT, Pool, as_u32},
    },
    LISTS, LONGS, TEXTS,
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

/// Brings texts into the pool.
struct Texts<'a> {
    pool: &'a mut Pool,
    facts: &'a dyn Facts,
    /// Numbers in the pool of those that are there already, by their own.
    known: Vec<u32>,
    volumes: Vec<TextId>,
}

impl Found {
    /// Looks up the pods of these rows. Names are brought into the pool only if some row wants one.
    pub fn new(ids: &[u32], wants_names: bool, pool: &mut Pool, facts: &dyn Facts) -> Self {
        let (text_ids, list_ids) = facts.ends();
        let mut found = Self::default();
        found.rows.reserve_exact(ids.len());
        let [labels, annotations, claims, _] = &mut found.lists;
        for lists in [labels, annotations, claims] {
            lists.known = vec![Span::ABSENT; list_ids];
        }
        let mut seen = vec![None; pool.len()];
        let mut texts = Texts {
            pool,
            facts,
            known: vec![ABSENT; text_ids],
            volumes: Vec::new(),
        };
        for id in ids {
            let pod = match seen.get_mut(*id as usize) {
                None => ABSENT,
                Some(Some(pod)) => *pod,
                Some(unseen) => {
                    let pod = facts.pod(texts.pool.get(*id));
                    let pod = pod.map_or(ABSENT, |pod| found.add(&pod, wants_names, &mut texts));
                    *unseen.insert(pod)
                }
            };
            found.rows.push(pod);
        }
        found
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

    fn add(&mut self, pod: &PodFacts<'_>, wants_names: bool, texts: &mut Texts<'_>) -> u32 {
        let name = match wants_names || pod.workload.is_none() {
            true => texts.pool.add(pod.name),
            false => ABSENT,
        };
        let workload = pod.workload.map_or(name, |workload| texts.of(workload));
        let place = pod.place;
        let row = [
            texts.of(pod.namespace),
            name,
            texts.of_some(pod.owner),
            texts.of(pod.workload_kind),
            workload,
            texts.of_some(pod.qos),
            texts.of_some(place.instance_id),
            texts.of_some(place.instance_type),
            texts.of_some(place.zone),
            texts.of_some(place.region),
        ];
        for (column, value) in self.texts.iter_mut().zip(row) {
            column.push(value);
        }
        self.host_network.push(pod.host_network);
        self.add_lists(pod, texts);
        let number = as_u32(self.pods);
        self.pods += 1;
        number
    }

    /// Its lists, and the numbers that tell of its claims.
    fn add_lists(&mut self, pod: &PodFacts<'_>, texts: &mut Texts<'_>) {
        let [labels, annotations, claims, volumes] = &mut self.lists;
        labels.push(pod.labels, texts);
        annotations.push(pod.annotations, texts);
        claims.push(Some(pod.claim_names), texts);
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

    fn of_some(&mut self, id: Option<TextId>) -> u32 {
        id.map_or(ABSENT, |id| self.of(id))
    }
}
