#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "ledger/line.h"
#include "pki/certificate.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What a CA can do, one type an event, each with what it needs and nothing else. `fingerprint` is
// that of the certificate which the event is about, `cluster` the one that it was made for.

namespace meshtrust::ledger {

struct StoreCreated {};

/// A root key called `key` is about to be written. See `key_name`.
struct KeyPlanned {
  std::string key;
};
/// That key never signed anything that left the process, and is gone.
struct KeyDiscarded {
  std::string key;
};

/// Who says that a later root follows the one before.
enum class Voucher : std::uint8_t {
  kPredecessor,  ///< the root before has signed the ledger with this line in it
  kOutside,  ///< nobody in this ledger, as that root's key was out of reach: whoever reads it has
             ///< to know the new root from elsewhere
};

/// The first root.
struct RootMinted {
  pki::Certificate certificate;
  std::string key_digest = {};  ///< SHA-256 of its key's file as it was written; empty for none
};
/// Each later one.
struct NextRootMinted {
  pki::Certificate certificate;
  std::string after;  ///< fingerprint of the root before
  Voucher voucher = Voucher::kPredecessor;
  std::string key_digest = {};
};
/// A cross-certificate (RFC 5280 3.2): name and key of one root of the ledger, issued by another.
struct BridgeMinted {
  pki::Certificate certificate;
};
/// An online CA between a root and the CAs of clusters.
struct IssuingMinted {
  pki::Certificate certificate;
};
struct IntermediateMinted {
  pki::Certificate certificate;
  std::string cluster;
  base::Bytes crl = {};  ///< its own, empty and for its whole life; none where its key is elsewhere
};

/// From now on intermediates are minted below this root.
struct RootActivated {
  std::string root;
};
/// Nobody trusts this root any more, and nothing below it is in use. It never signs again.
struct RootRetired {
  std::string root;
};
/// The key of a retired root is destroyed, on an explicit word: from this line on it may be gone.
struct KeyDestroyed {
  std::string root;
};
/// A CA above has certified the root's key.
struct Subordinated {
  std::string root;
  std::vector<pki::Certificate> above;  ///< see `Authority::above`
};

/// The request that carries the key of an intermediate is about to be sent.
struct Pushing {
  std::string fingerprint;
  std::string cluster = {};
};
/// It arrived.
struct Pushed {
  std::string fingerprint;
  std::string cluster = {};
  /// Where a person got it as files, and nobody knows what became of those; without it, it was read
  /// back from its cluster.
  std::optional<std::string> written_to = {};
  std::string note = {};  ///< for people; not where `written_to` is
};
/// Known not to be in use anywhere.
struct Abandoned {
  std::string fingerprint;
  std::string cluster = {};
  std::string note = {};  ///< for people
};

/// On every CRL of its issuer from now on.
struct Revoked {
  std::string fingerprint;
  std::string cluster = {};
  std::string reason = {};  ///< "keyCompromise", ... (RFC 5280 5.3.1); empty for none
};
/// No more.
struct Unrevoked {
  std::string fingerprint;
  std::string cluster = {};
};
/// A CRL of a CA of this ledger.
struct CrlMade {
  std::string fingerprint;
  std::string cluster = {};
  base::Bytes crl;  ///< DER
};
/// A CRL of a CA that stands above a root, or did.
struct CrlGiven {
  std::string root;
  std::string authority;  ///< fingerprint of that CA
  base::Bytes crl;        ///< DER
};

/// A key waits in the store for a certificate from elsewhere.
struct Requested {
  std::string cluster;
  std::string key;
  std::string key_digest = {};  ///< SHA-256 of its file as it was written
};
/// It waits no more: imported, or given up.
struct RequestClosed {
  std::string cluster;
  std::string key;
};
/// The Lease of a cluster was taken from somebody.
struct LockBroken {
  std::string cluster;
  std::string holder;
};

using Event = std::variant<StoreCreated,
                           KeyPlanned,
                           KeyDiscarded,
                           RootMinted,
                           NextRootMinted,
                           BridgeMinted,
                           IssuingMinted,
                           IntermediateMinted,
                           RootActivated,
                           RootRetired,
                           KeyDestroyed,
                           Subordinated,
                           Pushing,
                           Pushed,
                           Abandoned,
                           Revoked,
                           Unrevoked,
                           CrlMade,
                           CrlGiven,
                           Requested,
                           RequestClosed,
                           LockBroken>;

/// "store-created", "key-planned", ...: as in the ledger, and as people see it.
std::string_view name_of(const Event& event);

/// The certificate that it brings into the ledger, else null.
const pki::Certificate* minted_by(const Event& event);

/// Something that was done.
struct Record {
  std::int64_t sequence = 0;
  base::Instant at = {};
  Who who = {};
  Event event = {};
};

/// What a key is called, in the ledger and on disk: the first 16 digits of its key id.
std::string key_name(std::string_view key_id);
std::string key_name(const pki::Certificate& certificate);

/// A visitor made of lambdas, for `std::visit`.
template <class... Visits>
struct Overloaded : Visits... {
  using Visits::operator()...;
};
template <class... Visits>
Overloaded(Visits...) -> Overloaded<Visits...>;

}  // namespace meshtrust::ledger
