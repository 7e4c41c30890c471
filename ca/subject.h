#pragma once

#include "base/random.h"
#include "base/time.h"
#include "ledger/authority.h"
#include "pki/name.h"

#include <string>
#include <string_view>

namespace meshtrust::ca {

/// The organizational unit that tells one generation from every other: "root 2026-11-21 7f3a9c01".
/// A date and random bits instead of a counter, so that an old copy of a store repeats none.
std::string generation(ledger::AuthorityKind kind, base::Instant at, base::Random& random);

/// `wanted` with `unit` as an organizational unit, before its first common name or else at the end.
pki::DistinguishedName with_unit(pki::DistinguishedName wanted, std::string unit);

/// `subject` without the units that `generation` makes. Text in, text out, as certificates show
/// it; a subject that cannot be read is returned as it is.
std::string without_generation(std::string_view subject);

/// The subject of `cluster`'s intermediate: that of its root, with another unit, and the cluster as
/// its only common name (64 characters are allowed there, and a cluster has 63). kInvalidInput when
/// the root's subject uses attributes that meshtrust does not write.
base::Result<pki::DistinguishedName> intermediate_subject(std::string_view root_subject,
                                                          std::string_view cluster,
                                                          std::string unit);

}  // namespace meshtrust::ca
