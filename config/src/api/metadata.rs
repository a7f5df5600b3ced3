//! Names, labels and annotations: Kubernetes' rules, in its words.

/// Whether it is an RFC 1123 label: lower-case letters, digits and `-`, at most 63 characters.
pub fn is_dns_label(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether it is an RFC 1123 subdomain: such labels (of any length) joined by dots, at most 253 characters.
pub fn is_dns_subdomain(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(legal) && !part.starts_with('-') && !part.ends_with('-');
    text.len() <= 253 && text.split('.').all(part)
}
