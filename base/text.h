#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::base {

std::string_view trim(std::string_view text);
/// Cuts at every `separator`; "" gives one empty element.
std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);

/// The candidate that `word` was probably meant to be (edit distance of at most a third of its
/// length), for "did you mean".
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// Whether `name` is a DNS-1123 label: [a-z0-9]([-a-z0-9]*[a-z0-9])?, at most 63 characters.
bool is_dns_label(std::string_view name);

/// `text` as it may go to a terminal, on one line: line ends and tabs become blanks, what is no
/// UTF-8 or `is_unseen` becomes "?", and it ends with "..." when it had to be cut at `most` bytes.
/// For words that come from outside.
std::string printable(std::string_view text, std::size_t most = 400);

/// `printable` of all of it.
std::string one_line(std::string_view text);

/// The same of a text of several lines, whose line ends and tabs stay.
std::string printable_lines(std::string_view text);

/// Number of terminal columns of UTF-8 `text` (code points; enough for the signs used here).
std::size_t display_width(std::string_view text);

/// The characters of `text` that fit into `columns`, which are counted likewise.
std::string first_columns(std::string_view text, std::size_t columns);

/// "1 cluster", "2 clusters".
std::string count_of(std::size_t number, std::string_view noun);

}  // namespace meshtrust::base
