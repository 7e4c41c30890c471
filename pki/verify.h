#pragma once

#include "base/time.h"
#include "pki/certificate.h"

#include <span>
#include <string>
#include <vector>

namespace meshtrust::pki {

/// Would somebody who trusts `roots` accept the first certificate of `chain` at `at`? Revocation is
/// not asked about, nor what a certificate may be used for beyond being a CA.
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

/// Both want RSA from 2048 bits and no SHA-1 below the root, whatever the system's policy is.
/// OpenSSL takes every certificate of `roots` for an anchor, as Go and Envoy do; Botan 2 only
/// self-signed ones.
Verdict judge_with_openssl(const TrustQuestion& question);
Verdict judge_with_botan(const TrustQuestion& question);

/// The same of a workload (`imagine_leaf`) in front of the chain, as server and as client, its own
/// signature taken for granted where its issuer on the path has the key of `signer`.
Verdict judge_imagined_with_openssl(const TrustQuestion& question, const Certificate& signer);

/// Did `issuer` issue `certificate`, by Botan's checks of names, dates, constraints and signature?
/// Says nothing about who trusts `issuer`, for an issuer whose own chain is not at hand.
Verdict judge_issuing_with_botan(const Certificate& certificate,
                                 const Certificate& issuer,
                                 base::Instant at);

/// Both, OpenSSL first. They share no code: what one of them minted or missed, the other sees.
std::vector<Verdict> judge(const TrustQuestion& question);

bool all_accept(std::span<const Verdict> verdicts);

}  // namespace meshtrust::pki
