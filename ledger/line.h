#pragma once

#include "base/bytes.h"
#include "base/time.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ledger {

/// On whose behalf something is written into the ledger. Plain values: the cli finds them out.
struct Who {
  std::string user = {};     ///< "alice"
  std::string host = {};     ///< "laptop"
  std::string command = {};  ///< "meshtrust apply --only trust"; never holds a secret
  std::string reason = {};   ///< `--reason`; may be empty
};

/// One line of the ledger as every storage keeps it: texts. What they mean is said by `codec.h`
/// alone. The digest covers these very fields, so a line that was written once is kept for ever as
/// it is, whatever a later version would write.
struct Line {
  std::int64_t sequence = 0;  ///< from 1, without gaps
  base::Instant at = {};
  Who who = {};
  std::string event = {};        ///< "store-created", "root-minted", ...
  std::string fingerprint = {};  ///< of the certificate it is about; empty when about none
  std::string cluster = {};      ///< of an intermediate; else empty
  std::string detail = {};
};

/// The digest that ties `line` to everything before it: SHA-256, in hex, over `previous` and the
/// fields of `line`, each with its length in front. A flipped bit anywhere shows; whoever can
/// compute SHA-256 can write another chain, which is what the signed head is against.
std::string chain_digest(std::string_view previous, const Line& line);

/// A certificate as a storage keeps it.
struct StoredCertificate {
  std::string fingerprint;  ///< SHA-256 of `der`, lower-case hex
  base::Bytes der;
};

/// The word of a CA of the ledger that the lines up to one are what they were when its key was last
/// open: see `signed_head.h`.
struct SignedHead {
  std::string root;           ///< fingerprint of the CA
  std::int64_t sequence = 0;  ///< of the last line that is covered
  base::Bytes signature;      ///< over `head_message`, as `pki::Signer::sign` makes it
};

/// Which versions of this program understand a ledger. One that knows less refuses the whole, as it
/// would have to guess what a line means for all lines behind it.
enum class Format : std::uint8_t {
  kUnsigned = 1,  ///< no signature over the lines
  kSigned = 2,    ///< a root of it always comes with a signature
  kRotating = 3,  ///< and may be followed by other roots
};
constexpr Format kNewestFormat = Format::kRotating;

/// A ledger as it lies in a storage.
struct Rows {
  Format format = Format::kSigned;
  std::vector<Line> lines = {};
  std::vector<std::string> digests = {};  ///< one for each line
  std::vector<StoredCertificate> certificates = {};
  std::vector<SignedHead> heads = {};  ///< at most one of each CA
};

}  // namespace meshtrust::ledger
