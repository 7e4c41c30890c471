#pragma once

#include "base/time.h"
#include "pki/certificate.h"

#include <span>
#include <string>
#include <vector>

namespace meshtrust::pki {

/// Would somebody who trusts `roots` accept the first certificate of `chain` at `at`?
struct TrustQuestion {
  std::vector<Certificate>
      chain;  ///< the certificate in question first, then what helps to reach a root
  std::vector<Certificate> roots;
  base::Instant at;
};

/// What one library says.
struct Verdict {
  std::string judge;  ///< "openssl", "botan"
  bool accepted = false;
  std::string reason;  ///< the library's own words when it refuses; empty when it accepts

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

Verdict judge_with_openssl(const TrustQuestion& question);
Verdict judge_with_botan(const TrustQuestion& question);

/// Both, OpenSSL first. They share no code: what one of them minted or missed, the other sees.
std::vector<Verdict> judge(const TrustQuestion& question);

bool all_accept(std::span<const Verdict> verdicts);

}  // namespace meshtrust::pki
