//! What debug mode says of a summary.

use super::summary::Summary;

const MOST_PODS: usize = 50;

/// Logs a summary.
pub(super) fn log(summary: &Summary) {
    for line in lines(summary) {
        log::debug!("{line}");
    }
}

fn lines(summary: &Summary) -> Vec<String> {
    let node = &summary.node;
    let mut lines = vec![format!(
        "Kubelet response summary: {{\"node_name\": {}, \"pod_count\": {}, \
         \"node_cpu_usage\": {}, \"node_memory_usage\": {}}}",
        text(node.node_name.as_deref()),
        summary.pods.len(),
        number(node.cpu.and_then(|cpu| cpu.usage_nano_cores)),
        number(node.memory.and_then(|memory| memory.usage_bytes)),
    )];
    for (index, pod) in summary.pods.iter().take(MOST_PODS).enumerate() {
        lines.push(format!(
            "Pod {} details: {{\"pod_name\": {}, \"cpu_usage\": {}, \"memory_usage\": {}}}",
            index + 1,
            text(Some(&format!("{}/{}", pod.namespace, pod.name))),
            number(pod.cpu.and_then(|cpu| cpu.usage_nano_cores)),
            number(pod.memory.and_then(|memory| memory.usage_bytes)),
        ));
    }
    lines
}

fn text(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("{text:?}"))
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "null".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_and_pods_are_told_as_the_old_collector_did() {
        let json = include_bytes!("../../tests/data/kubelet/stats-summary.json");
        let lines = lines(&Summary::parse(json).unwrap());
        assert_eq!(
            lines[0],
            "Kubelet response summary: {\"node_name\": \"node-1\", \"pod_count\": 5, \
             \"node_cpu_usage\": 514850871, \"node_memory_usage\": 499576832}"
        );
        assert_eq!(
            lines[1],
            "Pod 1 details: {\"pod_name\": \"demo/web-768c4ccb68-mk5g4\", \
             \"cpu_usage\": 5947163, \"memory_usage\": 1036288}"
        );
        assert_eq!(lines.len(), 6);
    }
}
