#include "pki/pem.h"

#include "base/encoding.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

constexpr std::string_view kBegin = "-----BEGIN ";
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

std::string quoted(std::string_view label) {
  return "'" + std::string(label) + "'";
}

/// Reads what follows the BEGIN line up to the END line, or to the next BEGIN line.
base::Status read_body(std::string_view& text, int& line_number, PemBlock& block) {
  const char* start = text.data();
  while (!text.empty()) {
    const std::string_view rest = text;
    const std::string_view line = take_line(text);
    if (!label_in(line, kBegin).empty()) {
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
    const std::string_view label = label_in(take_line(text), kBegin);
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
  std::string pem = std::string(kBegin) + std::string(label) + "-----\n";
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
  pem.append(kBegin);
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
