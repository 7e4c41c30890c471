#include "pki/pem.h"

#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <optional>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";
constexpr std::size_t kBytesPerLine = 48;  // 64 columns of base64

constexpr std::string_view without_trailing_blanks(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
    line.remove_suffix(1);
  }
  return line;
}

/// Cuts the first line off `text`.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

/// The label of a "-----BEGIN X-----" (or END) line, or an empty view.
std::string_view label_in(std::string_view line, std::string_view opening) {
  line = without_trailing_blanks(line);
  if (!line.starts_with(opening) || !line.ends_with(kDashes)) return {};
  if (line.size() <= opening.size() + kDashes.size()) return {};
  return line.substr(opening.size(), line.size() - opening.size() - kDashes.size());
}

/// A label ends at the first dashes: what follows on a line that lost its newlines may be a key.
std::string quoted(std::string_view label) {
  constexpr std::size_t kLongest = 60;
  return "'" + base::printable(label.substr(0, label.find(kDashes)), kLongest) + "'";
}

/// Reads what follows the BEGIN line up to the END line, or to the next BEGIN line.
base::Status read_body(std::string_view& text, int& line_number, PemBlock& block) {
  const char* start = text.data();
  while (!text.empty()) {
    const std::string_view rest = text;
    const std::string_view line = take_line(text);
    if (!label_in(line, kPemBegin).empty()) {
      text = rest;
      break;
    }
    ++line_number;
    if (const std::string_view end = label_in(line, kEnd); !end.empty()) {
      if (end == block.label) {
        block.body = {start, static_cast<std::size_t>(line.data() - start)};
        return {};
      }
      return fail(Code::kInvalidInput, "pem block " + quoted(block.label) + " of line " +
                                           std::to_string(block.line) + " ends as " + quoted(end) +
                                           " in line " + std::to_string(line_number));
    }
    if (line.find(':') != std::string_view::npos) block.has_headers = true;
  }
  return fail(Code::kInvalidInput, "pem block " + quoted(block.label) + " of line " +
                                       std::to_string(block.line) + " has no end line");
}

base::Error not_base64(const PemBlock& block) {
  return {.code = Code::kInvalidInput,
          .message = "pem block " + quoted(block.label) + " of line " + std::to_string(block.line) +
                     " is not base64"};
}

bool has_blanks(std::string_view body) {
  return body.find_first_of(" \t") != std::string_view::npos;
}

/// `body` without blanks at line ends, line by line into `out`.
template <class Out>
void append_trimmed_lines(std::string_view body, Out& out) {
  while (!body.empty()) {
    out.append(without_trailing_blanks(take_line(body)));
  }
}

}  // namespace

PemText scan_pem(std::string_view text) {
  PemText found;
  int line_number = 0;
  while (!text.empty()) {
    const std::string_view label = label_in(take_line(text), kPemBegin);
    ++line_number;
    if (label.empty()) continue;
    PemBlock block{.label = label, .body = {}, .line = line_number};
    if (auto read = read_body(text, line_number, block)) {
      found.blocks.push_back(block);
    } else {
      found.errors.push_back(std::move(read).error());
    }
  }
  return found;
}

namespace {

/// What stands between the start of the line and the marker, in words.
std::string obstacle_of(std::string_view before) {
  if (before.empty()) return "";
  if (before.ends_with(kByteOrderMark)) return "a UTF-8 byte order mark stands before it";
  if (before.find_first_not_of(" \t") == std::string_view::npos) return "its line is indented";
  if (before.ends_with(kDashes)) return "a newline is missing before it";
  return "it does not begin its line";
}

}  // namespace

std::vector<PemMarker> find_markers(std::string_view text) {
  const PemText scanned = scan_pem(text);
  auto seen = scanned.blocks.begin();
  std::vector<PemMarker> markers;
  int line_number = 0;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    ++line_number;
    for (std::size_t at = line.find(kPemBegin); at != std::string_view::npos;
         at = line.find(kPemBegin, at + 1)) {
      const std::string_view rest = line.substr(at + kPemBegin.size());
      const std::size_t end = rest.find(kDashes);
      if (end == std::string_view::npos || end == 0) continue;
      PemMarker marker{.label = rest.substr(0, end),
                       .number = static_cast<int>(markers.size()) + 1,
                       .line = line_number,
                       .obstacle = obstacle_of(line.substr(0, at))};
      if (seen != scanned.blocks.end() && seen->line == line_number) {
        marker.is_seen = true;
        marker.is_first_seen = seen == scanned.blocks.begin();
        ++seen;
      }
      markers.push_back(std::move(marker));
    }
  }
  return markers;
}

namespace {

constexpr std::array<std::string_view, 6> kPublicLabels{
    "CERTIFICATE",         "X509 CERTIFICATE",        "TRUSTED CERTIFICATE",
    "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "X509 CRL"};

/// The next "-----BEGIN X-----" or "-----END X-----" of a line, cut off with what is before it.
struct LineMarker {
  std::string_view before;
  std::string_view text;
  std::string_view label;
  bool begins = false;
};
std::optional<LineMarker> take_marker(std::string_view& line) {
  // From dashes to dashes, so that each part of a long line is looked at once.
  const auto is_marker = [line](std::size_t at) {
    return line.substr(at).starts_with(kPemBegin) || line.substr(at).starts_with(kEnd);
  };
  std::size_t at = line.find(kDashes);
  while (at != std::string_view::npos && !is_marker(at)) {
    at = line.find(kDashes, at + 1);
  }
  if (at == std::string_view::npos) return std::nullopt;
  const bool begins = line.substr(at).starts_with(kPemBegin);
  const std::size_t opening = at + (begins ? kPemBegin.size() : kEnd.size());
  const std::size_t end = line.find(kDashes, opening);
  if (end == std::string_view::npos) return std::nullopt;
  const LineMarker marker{.before = line.substr(0, at),
                          .text = line.substr(at, end + kDashes.size() - at),
                          .label = line.substr(opening, end - opening),
                          .begins = begins};
  line.remove_prefix(end + kDashes.size());
  return marker;
}

bool is_blank_or_mark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

std::string public_part(std::string_view text) {
  const std::string_view whole_text = text;
  std::string kept;
  bool is_public = false;
  while (!text.empty()) {
    const std::size_t size_before = text.size();
    const char* start = text.data();
    std::string_view line = take_line(text);
    const std::string_view whole(start, size_before - text.size());
    auto marker = take_marker(line);
    if (!marker) {
      if (is_public) kept += whole;
      continue;
    }
    for (; marker; marker = take_marker(line)) {
      kept += is_blank_or_mark(marker->before) ? marker->before : std::string_view("?");
      kept += marker->text;
      is_public =
          marker->begins && std::ranges::find(kPublicLabels, marker->label) != kPublicLabels.end();
    }
    if (is_blank_or_mark(line)) {
      kept += line;
    } else {
      kept += '?';  // a marker that does not end its line is none
    }
    if (whole.ends_with('\n')) kept += '\n';
  }
  // A file that holds nothing public is not the same as an empty one.
  const bool holds_nothing = whole_text.find_first_not_of(" \t\r\n") == std::string_view::npos;
  return kept.empty() && !holds_nothing ? "?\n" : kept;
}

base::Result<std::vector<PemBlock>> pem_blocks(std::string_view text) {
  PemText found = scan_pem(text);
  if (!found.errors.empty()) return fail(std::move(found.errors.front()));
  return std::move(found.blocks);
}

base::Result<base::Bytes> decode(const PemBlock& block) {
  std::string trimmed;
  if (has_blanks(block.body)) append_trimmed_lines(block.body, trimmed);
  auto bytes = base::from_base64(trimmed.empty() ? block.body : trimmed);
  if (!bytes) return fail(not_base64(block));
  return bytes;
}

base::Result<base::Secret> decode_secret(const PemBlock& block) {
  base::Secret trimmed;
  if (has_blanks(block.body)) append_trimmed_lines(block.body, trimmed);
  auto bytes = base::secret_from_base64(
      trimmed.empty() ? block.body : base::reveal(trimmed, "a key's base64, to be decoded"));
  if (!bytes) return fail(not_base64(block));
  return bytes;
}

std::string to_pem(std::string_view label, base::ByteView der) {
  std::string pem = std::string(kPemBegin) + std::string(label) + "-----\n";
  for (std::size_t i = 0; i < der.size(); i += kBytesPerLine) {
    pem += base::to_base64(der.subspan(i, std::min(kBytesPerLine, der.size() - i)));
    pem += '\n';
  }
  return pem + std::string(kEnd) + std::string(label) + "-----\n";
}

base::Secret to_secret_pem(std::string_view label, const base::Secret& der) {
  const base::ByteView bytes = base::reveal_bytes(der, "a key's DER, to become PEM in a secret");
  base::Secret pem;
  // Asked for once, so that growing leaves no wiped-but-needless copies in the secure heap.
  pem.reserve(bytes.size() * 4 / 3 + bytes.size() / kBytesPerLine + 2 * label.size() + 64);
  pem.append(kPemBegin);
  pem.append(label);
  pem.append("-----\n");
  for (std::size_t i = 0; i < bytes.size(); i += kBytesPerLine) {
    base::append_base64(pem, bytes.subspan(i, std::min(kBytesPerLine, bytes.size() - i)));
    pem.append("\n");
  }
  pem.append(kEnd);
  pem.append(label);
  pem.append("-----\n");
  return pem;
}

}  // namespace meshtrust::pki
