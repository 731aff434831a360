//! Rows lie in the order that the file tells of itself.

use parquet::file::{reader::FileReader as _, serialized_reader::SerializedFileReader};
use protocol::Table;
use rand::{SeedableRng as _, rngs::StdRng};

use super::{
    super::{
        Inputs, build, order,
        ranks::{self, Ranks},
        texts::Pool,
    },
    random,
    value::{Value, read},
};

#[test]
fn rows_are_sorted_by_the_keys_of_their_table() {
    let mut rng = StdRng::seed_from_u64(1);
    for table in Table::ALL {
        let mut inputs = Inputs::new(table, 0);
        for _ in 0..30 {
            let rows = if table == Table::Reconcile { 1 } else { 50 };
            inputs
                .push(random::input(&mut rng, table, rows, 40))
                .unwrap();
        }
        let (bytes, _) = build(inputs).unwrap();
        let place = |name: &&str| {
            let mut columns = table.columns().iter();
            columns.position(|column| column.name == *name).unwrap()
        };
        let keys: Vec<usize> = order::keys(table).iter().map(place).collect();
        let key = |row: &Vec<Value>| -> Vec<Value> {
            // Absent is least in `Value`, too.
            keys.iter().map(|at| row[*at].clone()).collect()
        };
        let found: Vec<_> = read(&bytes).iter().map(key).collect();
        let order = found.windows(2).all(|pair| pair[0] <= pair[1]);
        assert!(order, "{} is not in order", table.name());

        let file = SerializedFileReader::new(bytes).unwrap();
        let told = file.metadata().row_group(0).sorting_columns().unwrap();
        let told: Vec<usize> = told.iter().map(|told| told.column_idx as usize).collect();
        assert_eq!(told, keys, "what {} tells of its order", table.name());
    }
}

#[test]
fn texts_are_ranked_as_they_compare() {
    let mut pool = Pool::default();
    let mut texts: Vec<String> = (0..3_000)
        .map(|at| format!("prefix-of-some-length-{:x}", at * 37 % 3_000))
        .collect();
    texts.extend((0..40).map(|len| "\0".repeat(len)));
    texts.extend((0..40).map(|len| format!("prefix-{}", "\0".repeat(len))));
    texts.extend((0..40).map(|len| "ÿ".repeat(len)));
    let numbers: Vec<u32> = texts.iter().map(|text| pool.shared(text)).collect();
    let ranks = Ranks::new(&pool, ranks::distinct(&pool, &numbers));
    let sorted: Vec<&str> = ranks.texts.iter().map(|number| pool.get(*number)).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(sorted, texts);
}
