//! `$(VAR)` in values and arguments, as Kubernetes expands it.

/// Replaces each `$(NAME)` by the variable's value; `$$` stands for one `$`. What names no variable stays as it is, so that
/// a mistake can be seen in the function. What is put in is not expanded again.
pub(super) fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = tail;
            continue;
        }
        let Some((name, tail)) = rest.strip_prefix('(').and_then(|tail| tail.split_once(')')) else {
            expanded.push('$');
            continue;
        };
        match variables.iter().find(|(known, _)| known == name) {
            Some((_, value)) => expanded.push_str(value),
            None => expanded.extend(["$(", name, ")"]),
        }
        rest = tail;
    }
    expanded + rest
}
