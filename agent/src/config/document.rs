//! The reference of settings, as `docs/configuration.md` holds it.

use super::{
    CONFIG_VARIABLE, DEFAULT_FILE,
    settings::{OF_THE_AGGREGATOR, RETIRED, SECTIONS, SETTINGS, Setting},
};

const BEGINNING: &str = "\
# Configuration of the agent

Every setting can stand in one YAML file, and every one can be set by a variable of the environment. The
command line is over the environment, the environment over the file, the file over the defaults. A variable or
key that is empty counts as not set.

`podledger-agent check` and `podledger-agent run` tell every problem of file, environment and command line at once: unknown keys
(with the nearest known one), wrong types, values out of range, variables that are not set, settings that contradict each other.
Nothing starts until they are gone.

";

const VARIABLES: &str = "\
In the file's values `${VAR}` stands for a variable of the environment, and `${VAR:-default}` for one that may be
missing or empty; `$${` stands for the text `${`. Durations are written like `30s`, `1m30s` or `500ms`; a bare number counts seconds. True is
`true`, `yes`, `on` or `1`, false is `false`, `no`, `off` or `0`. The file has at most 1 MiB.
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = BEGINNING.to_owned();
    page.push_str(&format!(
            "The file is what `--config FILE` names, else the variable `{CONFIG_VARIABLE}`, else `{DEFAULT_FILE}` when it is there.\n\n"
        ),
    );
    page.push_str(VARIABLES);
    page.push_str("\n## An example\n\n```yaml\n");
    page.push_str(EXAMPLE);
    page.push_str("```\n");
    for section in SECTIONS {
        page.push_str(&format!("\n## `{section}`\n"));
        let prefix = format!("{section}.");
        for setting in &SETTINGS {
            if setting.key.starts_with(&prefix) {
                entry(&mut page, setting);
            }
        }
    }
    older(&mut page);
    page
}

/// A file that loads; a test does.
pub(super) const EXAMPLE: &str = "\
agent:
  node_name: ${NODE_NAME:-}
  cluster_name: ${CLUSTER_NAME:-default-cluster}
metrics:
  interval: 30s
kubelet:
  endpoint: https://127.0.0.1:10250/stats/summary
status:
  listen: 0.0.0.0:8080
kernel:
  without: [oom]
log:
  level: info
";

fn entry(page: &mut String, setting: &Setting) {
    let default = match setting.default {
        "" => "not set".to_owned(),
        default => format!("`{default}`"),
    };
    let variables: Vec<String> = setting
        .variables
        .iter()
        .map(|variable| format!("`{variable}`"))
        .collect();
    page.push_str(&format!(
        "\n### `{}`\n\n{}\n\n- Variable: {}\n- Default: {default}\n- Allowed: {}\n",
        setting.key,
        setting.about,
        variables.join(", or of the same meaning "),
        setting.allowed,
    ));
}

fn older(page: &mut String) {
    page.push_str("\n## Of older systems\n\nVariables of older collectors and agents keep their names and meanings above. ");
    let names: Vec<String> = OF_THE_AGGREGATOR
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    page.push_str(&format!(
            "{} belong to the aggregator; the agent does not look at them.\n\nKeys of older files that mean nothing here:\n\n",
            names.join(", ")
        ),
    );
    for (key, advice) in RETIRED {
        page.push_str(&format!("- `{key}`: {advice}.\n"));
    }
}
