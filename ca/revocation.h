#pragma once

#include "base/result.h"
#include "base/time.h"
#include "ca/store.h"
#include "ledger/crl_set.h"
#include "ledger/lookup.h"
#include "pki/key.h"
#include "pki/revocation_list.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ca {

/// The reasons that a person may give (RFC 5280 5.3.1).
std::vector<std::string> revocation_reasons();

/// `ledger::is_last_of_its_cluster` and `ledger::find_issued`, now and in this store.
bool is_last_of_its_cluster(const TrustStore& store, const ledger::Authority& authority);
base::Result<ledger::Authority> find_issued(const TrustStore& store,
                                            std::string_view name,
                                            ledger::Wanted wanted);

struct CrlRequest {
  base::Seconds lifetime = base::days(90);  ///< of the roots' CRLs; the others end with their CA
  /// Of CAs whose key is elsewhere: of this store's issue, or above its root. The ledger keeps
  /// them. And of the root itself, from another copy of this store: those are not kept, the new one
  /// is numbered above them.
  std::vector<pki::RevocationList> supplied = {};
  /// The greatest number of a CRL of the current root that is known to be anywhere, hex as
  /// `RevocationListFacts` has it: the new one is above it, and above the ledger's. What was seen
  /// in clusters goes in here, so that an older copy of a store repeats no number.
  std::optional<std::string> at_least_above = {};
};

/// `ledger::newest_crls` and `ledger::lacking_a_crl`, now and in this store.
base::Result<ledger::CrlSet> newest_crls(const TrustStore& store);
base::Result<std::vector<pki::Certificate>> lacking_a_crl(const TrustStore& store);

/// One CRL in force for every CA that some chain of the mesh may hold: the roots that are not
/// retired, and every intermediate of this store that is in force and not known to be unused,
/// revoked ones too. Those of the roots whose `keys` are given are made now, with a number larger
/// than any before (RFC 5280 5.2.3), and recorded before this returns; those of intermediates were
/// made with them, or are among `supplied`. While a bridge is in use, peers ask for the CRLs of
/// both its roots: give both keys, or make that of the old root last long enough before.
///
/// kInvalidInput for an `at_least_above` that is no number. kRefused where `ledger::refuse_gaps`
/// says so, when no number of 20 octets is left, the lifetime asked for is shorter than a week, the
/// file would exceed what a Secret holds, a CRL was supplied that is of none of these CAs or of
/// an intermediate whose CRLs are made here, or has no end, or one revokes what this ledger did
/// not revoke. kNotFound without a root.
base::Result<ledger::CrlSet> make_crls(TrustStore& store,
                                       const StoreLock& lock,
                                       const RootKeys& keys,
                                       const CrlRequest& request,
                                       const ledger::Who& who);

}  // namespace meshtrust::ca
