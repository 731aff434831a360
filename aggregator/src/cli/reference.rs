//! `docs/aggregator.md` is what the options say of themselves.

use std::{fs, path::Path};

use clap::{Arg, CommandFactory as _};

use super::Arguments;

const BEGINNING: &str = "\
# Settings of the aggregator

Every option of `podledger-aggregator serve` is a variable of the environment as well; the command line is over the environment. A variable that
is empty counts as not set. All that is wrong with them is told at once, and nothing starts until it is mended.

## Where the tables are

`--store`, or the variables of the older system: `S3_BUCKET`, and `S3_PREFIX` with the default `k8s-metrics/` (`/` for none). The older system's default for the
bucket, `k8s-usage-data`, is taken only where `AWS_ENDPOINT_URL` is set: names of buckets on S3 itself are worldwide, and that one may be somebody else's.
`AWS_REGION` (default `us-east-1`), `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are heeded, as are web identities and instance profiles.

A start looks at the store before it does anything else. No such bucket, credentials that are not believed, another region, or a table of another program: it
ends within seconds with 1 and says what to do, and nothing is written. A store that does not answer is told in the log at once and tried for 30 seconds.
";

fn entry(page: &mut String, option: &Arg) {
    let long = option.get_long().unwrap_or_default();
    let help = option.get_long_help().or(option.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let names = option.get_value_names().unwrap_or_default();
    let variable = option.get_env().unwrap_or_default().display();
    page.push_str(&format!(
        "\n### `--{long} {}`\n\n{}\n\n- Variable: `{variable}`\n",
        names.join(" "),
        help.trim()
    ));
}

fn markdown() -> String {
    let mut page = BEGINNING.to_owned();
    let command = Arguments::command();
    let serve = command.find_subcommand("serve").unwrap();
    let mut heading = "";
    for option in serve
        .get_arguments()
        .filter(|option| option.get_env().is_some())
    {
        let here = option.get_help_heading().unwrap_or("Others");
        if here != heading {
            page.push_str(&format!("\n## {here}\n"));
            heading = here;
        }
        entry(&mut page, option);
    }
    page
}

#[test]
fn the_documentation_is_what_the_options_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/aggregator.md");
    if std::env::var_os("PODLEDGER_WRITE_DOCS").is_some() {
        fs::write(&path, markdown()).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == markdown(),
        "docs/aggregator.md is behind: PODLEDGER_WRITE_DOCS=1 cargo test -p aggregator --lib reference"
    );
}
