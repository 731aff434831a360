//! Values in the order in which they came.

/// Which rows have a value; `None` when all have.
pub type Present = Option<Vec<bool>>;

/// A value for each row. As long as all are the same they take no room.
#[derive(Debug, Default)]
pub struct Rows<T> {
    same: T,
    len: usize,
    /// How many are expected.
    most: usize,
    /// Empty as long as all are the same.
    each: Vec<T>,
}

/// Rows of which some may have no value.
#[derive(Debug, Default)]
pub struct Sparse<T> {
    /// Of each row, whatever it is where there is none.
    pub values: Rows<T>,
    /// Which of them are there.
    pub present: Present,
}

/// A value that is compared bit by bit.
pub trait Exact: Copy + Default {
    /// Whether the other one can stand in its place.
    fn is(self, other: Self) -> bool;
}

macro_rules! exact {
    ($($kind:ty),+) => {
        $(impl Exact for $kind {
            fn is(self, other: Self) -> bool {
                self == other
            }
        })+
    };
}

exact!(i64, u32, bool);

impl Exact for f64 {
    fn is(self, other: Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl<T: Exact> Rows<T> {
    /// The value that all rows have.
    pub fn same(&self) -> Option<T> {
        self.each.is_empty().then_some(self.same)
    }

    /// None yet.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Gives each row a value of its own.
    fn spread(&mut self, len: usize) {
        if self.each.is_empty() {
            self.each.reserve_exact(self.most.max(len));
            self.each.resize(len, self.same);
        }
    }

    /// Adds rows.
    pub fn push(&mut self, more: &[T]) {
        let is_first = self.len == 0;
        self.len = self.len.saturating_add(more.len());
        if self.each.is_empty() {
            if let (true, Some(first)) = (is_first, more.first()) {
                self.same = *first;
            }
            if more.iter().all(|value| value.is(self.same)) {
                return;
            }
            self.spread(self.len - more.len());
        }
        self.each.extend_from_slice(more);
    }

    /// Adds rows, those that have none of the values with another one instead.
    pub fn push_some(&mut self, has: &[bool], values: &[T], absent: T) {
        self.spread(self.len);
        let mut values = values.iter().copied();
        let value = |has: &bool| match has {
            true => values.next().unwrap_or(absent),
            false => absent,
        };
        self.each.extend(has.iter().map(value));
        self.len = self.each.len();
    }

    /// Rows that have this value.
    pub fn rows_of(&self, value: T) -> impl Iterator<Item = usize> {
        let same = self.same().map(|same| match same.is(value) {
            true => self.len,
            false => 0,
        });
        let each = self.each.iter().enumerate();
        let each = each.filter(move |(_, other)| other.is(value));
        (0..same.unwrap_or(0)).chain(each.map(|(row, _)| row))
    }

    /// The rows, to be changed in place.
    pub fn each_mut(&mut self) -> &mut [T] {
        self.spread(self.len);
        &mut self.each
    }

    /// Adds rows of one value.
    pub fn push_same(&mut self, value: T, more: usize) {
        if self.len == 0 {
            self.same = value;
        }
        if !self.each.is_empty() || !value.is(self.same) {
            self.spread(self.len);
            self.each.resize(self.len.saturating_add(more), value);
        }
        self.len = self.len.saturating_add(more);
    }

    /// Other values for these.
    pub fn map<U: Exact>(self, mut value: impl FnMut(T) -> U) -> Rows<U> {
        let mut rows = Rows::new(self.most);
        match self.same() {
            Some(same) => rows.push_same(value(same), self.len),
            None => {
                rows.each = self.each.into_iter().map(value).collect();
                rows.len = self.len;
            }
        }
        rows
    }

    /// Gives those rows that have none another value.
    pub fn clear_where(&mut self, has: &[bool], absent: T) {
        self.spread(self.len);
        for (value, has) in self.each.iter_mut().zip(has) {
            if !has {
                *value = absent;
            }
        }
    }

    /// These rows, in this order.
    pub fn placed(&self, order: &[u32]) -> Vec<T> {
        match self.same() {
            Some(same) => vec![same; order.len()],
            None => {
                let value = |row: &u32| self.each.get(*row as usize).copied();
                let values = order.iter().map(value);
                values.map(Option::unwrap_or_default).collect()
            }
        }
    }

    /// The rows as they came.
    pub fn to_vec(&self) -> Vec<T> {
        match self.same() {
            Some(same) => vec![same; self.len],
            None => self.each.clone(),
        }
    }
}

impl<T: Exact> Sparse<T> {
    /// None yet.
    pub fn new(most: usize) -> Self {
        Self {
            values: Rows::new(most),
            present: None,
        }
    }

    /// Adds rows; `present` says which of them have one of the values.
    pub fn push(&mut self, present: Option<&[bool]>, values: &[T]) {
        let rows = self.values.len;
        match present {
            None => {
                self.mark(true, values.len());
                self.values.push(values);
            }
            Some(has) => {
                let present = self.present.get_or_insert_with(|| vec![true; rows]);
                present.extend_from_slice(has);
                self.values.push_some(has, values, T::default());
            }
        }
    }

    /// Adds rows of one value, or of none.
    pub fn push_same(&mut self, value: Option<T>, rows: usize) {
        self.mark(value.is_some(), rows);
        self.values.push_same(value.unwrap_or_default(), rows);
    }

    /// Gives rows that have none a value.
    pub fn fill(&mut self, value: impl Fn(usize) -> Option<T>) {
        let Some(present) = &mut self.present else {
            return;
        };
        let slots = present.iter_mut().zip(self.values.each_mut());
        for (row, (has, slot)) in slots.enumerate().filter(|(_, (has, _))| !**has) {
            if let Some(value) = value(row) {
                (*has, *slot) = (true, value);
            }
        }
    }

    fn mark(&mut self, has: bool, more: usize) {
        let rows = self.values.len;
        if !has {
            self.present.get_or_insert_with(|| vec![true; rows]);
        }
        if let Some(present) = &mut self.present {
            present.resize(rows.saturating_add(more), has);
        }
    }

    /// Which of these rows have a value, in this order.
    pub fn present(&self, order: &[u32]) -> Present {
        let present = self.present.as_ref()?;
        let has = |row: &u32| present.get(*row as usize).is_some_and(|has| *has);
        Some(order.iter().map(has).collect())
    }
}
