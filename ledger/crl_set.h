#pragma once

#include "base/result.h"
#include "base/time.h"
#include "ledger/hierarchy.h"
#include "pki/certificate.h"
#include "pki/revocation_list.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

// Which CRLs a mesh needs, and which of them a ledger knows.

namespace meshtrust::ledger {

/// A set of CRLs as a whole mesh needs it, the same in every cluster.
struct CrlSet {
  std::vector<pki::RevocationList> crls;
  std::vector<pki::Certificate> authorities;  ///< of whom there is one each

  /// The one that ends first. There is one.
  const pki::RevocationList& first_to_end() const;
};

/// The newest CRL of every CA that some chain of the mesh may hold, as far as this ledger has made
/// or been given one: those of its roots first, the current one's in front, then those of CAs above
/// them and those of what is below, oldest first; a CA that has ended is left out. Makes nothing,
/// and says nothing about gaps.
///
/// Every root counts from its minting until it is retired: while a bridge is in use, peers that
/// still trust the old root ask for the CRLs of both, and istiod's own check would not miss one.
/// The CRL of a root covers the bridges of its name and key.
base::Result<CrlSet> newest_crls(const Hierarchy& hierarchy, base::Instant at);

/// kRefused, naming every CA, when one of `set` is without a CRL in force: Envoy would refuse its
/// whole cluster, and istiod might not start.
base::Status refuse_gaps(const CrlSet& set, base::Instant at);

/// The CAs that some chain may hold and of which no CRL in force is known, but for the roots, whose
/// CRL can be made.
base::Result<std::vector<pki::Certificate>> lacking_a_crl(const Hierarchy& hierarchy,
                                                          base::Instant at);

/// What stands on the next CRL of the CA of this fingerprint.
std::vector<pki::RevokedCertificate> revoked_by(const Hierarchy& hierarchy,
                                                std::string_view issuer,
                                                base::Instant at);

/// A number for the next CRL of `root` (RFC 5280 5.2.3), hex as a CRL tells it: above that of the
/// last that the ledger knows, of those in `supplied`, and above `at_least_above`. kInvalidInput
/// for an `at_least_above` that is no number, kRefused when no number of 20 octets is left.
base::Result<std::string> next_crl_number(const Hierarchy& hierarchy,
                                          const Root& root,
                                          std::span<const pki::RevocationList> supplied,
                                          const std::optional<std::string>& at_least_above);

/// Puts `supplied` into `set`, in place of older ones, and returns what is to be recorded of them.
/// Those of a root are not kept: it makes its own. kRefused for one that is of none of these CAs,
/// does not say when it ends, is no newer than what is there, or is a root's and revokes what this
/// ledger did not.
base::Result<std::vector<Event>> take_supplied(const Hierarchy& hierarchy,
                                               std::span<const pki::RevocationList> supplied,
                                               CrlSet& set,
                                               base::Instant at);

/// kRefused when a CRL of `set` revokes a CA of it that this ledger did not: that would be cut off
/// by accident.
base::Status refuse_surprises(const Hierarchy& hierarchy, const CrlSet& set);

}  // namespace meshtrust::ledger
