#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::pki {

inline constexpr std::string_view kPemBegin = "-----BEGIN ";
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  ///< of UTF-8

/// One block of a PEM text (RFC 7468), as views into it: nothing is copied, so a key stays where
/// its owner put it.
struct PemBlock {
  std::string_view label;    ///< "CERTIFICATE", "PRIVATE KEY", ...
  std::string_view body;     ///< the base64 lines, not decoded
  bool has_headers = false;  ///< "Proc-Type: 4,ENCRYPTED" and its like (RFC 1421)
  int line = 1;              ///< of the BEGIN line, from 1
};

/// All blocks in order, and what is wrong with those that have no END line of their own label.
struct PemText {
  std::vector<PemBlock> blocks;
  base::Errors errors;
};
PemText scan_pem(std::string_view text);

/// One "-----BEGIN X-----" of a text, wherever on its line it stands.
struct PemMarker {
  std::string_view label;
  int number = 1;              ///< of all markers of the text, from 1
  int line = 1;                ///< from 1
  bool is_seen = false;        ///< `scan_pem` (and Go) reads a block there
  bool is_first_seen = false;  ///< and none before it
  std::string obstacle = {};   ///< why it is not seen, where that can be told in words
};
std::vector<PemMarker> find_markers(std::string_view text);

/// The public part of `text`, for places where no key may be kept: certificates, requests and
/// revocation lists line by line as they stand, with what hides them from a reader (an indentation,
/// a byte order mark); of any other block its BEGIN and END lines, so that there was one can still
/// be told; and nothing else. A text without any block becomes "?", unless it is blank.
std::string public_part(std::string_view text);

/// All blocks in order; whatever stands between them is skipped, as every loader does.
/// kInvalidInput when a block has no END line of its own label.
base::Result<std::vector<PemBlock>> pem_blocks(std::string_view text);

/// The decoded content, blanks at line ends forgiven. kInvalidInput when it is not base64. The
/// message never quotes the text.
base::Result<base::Bytes> decode(const PemBlock& block);
base::Result<base::Secret> decode_secret(const PemBlock& block);

/// One block with 64 columns and a final newline.
std::string to_pem(std::string_view label, base::ByteView der);
/// The same for a secret, through no other memory.
base::Secret to_secret_pem(std::string_view label, const base::Secret& der);

}  // namespace meshtrust::pki
