#pragma once

#include "pki/path/extension_views.h"
#include "pki/path/name_space.h"
#include "pki/path/path_certificate.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace meshtrust::pki {

/// What a certificate is to be used for.
enum class Purpose : std::uint8_t { kAny, kServer, kClient };
std::string_view name_of(Purpose purpose);

constexpr std::size_t kCheckCount = static_cast<std::size_t>(Check::kCrlScope) + 1;

/// At which places of a path a check is made: `Role`s added up.
using Places = std::uint8_t;
constexpr Places kNowhere = 0;
constexpr Places kAtLeaf = 1;
constexpr Places kAtIntermediates = 2;
constexpr Places kAtAnchor = 4;
constexpr Places kBelowAnchor = kAtLeaf | kAtIntermediates;
constexpr Places kAtIssuers = kAtIntermediates | kAtAnchor;
constexpr Places kEverywhere = kAtLeaf | kAtIssuers;

/// How a verifier keeps a path from running in circles.
enum class LoopRule : std::uint8_t { kSameCertificate, kSameNameAndKey, kSameNameKeyAndNames };

/// One verifier: what it checks, in which order it builds, whether it turns back. The engine is one
/// for all of them; whatever differs stands here.
struct Rules {
  std::string_view name;     ///< as in --as: "go", "boringssl", ...
  std::string_view version;  ///< of the verifier that this was read from
  std::array<Places, kCheckCount> places{};

  /// Reads certificates as they are, asks revocation lists, and counts the depth of a path as path
  /// lengths are counted.
  bool is_ours = false;
  bool folds_names = true;  ///< names compare by RFC 5280 7.1; else by their bytes
  bool turns_back = true;   ///< another issuer is tried when one leads nowhere
  bool leaf_may_be_anchor = true;
  LoopRule loop = LoopRule::kSameNameAndKey;
  bool anchors_may_repeat = false;  ///< as an anchor, what is in the path already may end it
  std::size_t most_intermediates = 100;
  std::size_t most_candidates = 100'000;  ///< issuers looked at in one question
  std::size_t most_signatures = 4'000;    ///< weighed by what they cost
  /// Names times constraints, in one question; `ConstraintRules` may bound them for one pair.
  std::size_t most_comparisons = SIZE_MAX;
  /// Signatures, and then names, are looked at from the anchor down, on whole paths.
  bool signatures_last = false;

  ConstraintRules constraints;
  bool constraints_spare_self_issued = true;     ///< but for the leaf (RFC 5280 6.1.3 (b))
  bool constraints_spare_without_names = false;  ///< certificates without a subjectAltName
  bool self_issued_are_free = true;              ///< in path lengths
  bool idle_mappings_count = true;  ///< one of anyPolicy is refused though nothing is mapped
  bool any_usage_counts = true;     ///< anyExtendedKeyUsage allows every purpose
  bool usages_must_meet = true;     ///< for any purpose, the usages of a path have one in common
  bool any_is_server_or_client = false;  ///< asks twice where no purpose is given
  unsigned server_bits = kDigitalSignature | kKeyEncipherment | kKeyAgreement;
  unsigned client_bits = kDigitalSignature | kKeyAgreement;
  bool empty_usage_denies = true;      ///< a keyUsage of no bits denies keyCertSign
  bool maps_addresses = false;         ///< IPv4 addresses are those of IPv6 that map them
  bool old_versions_are_bare = false;  ///< extensions of versions 1 and 2 are not seen
  bool reads_the_whole_chain = false;  ///< an unreadable certificate in it ends everything
  bool reads_extensions_late = false;  ///< only once the certificate is part of a path
  bool last_second_counts = true;      ///< of the validity (RFC 5280 4.1.2.5)
  /// Where there are name constraints, a leaf without alternative names is refused for a common
  /// name (UTF-8) like this; null where none is.
  bool (*refused_common_name)(std::string_view name) = nullptr;

  /// Whether a dNSName in a certificate is the host that is asked for.
  bool (*host_matches)(std::string_view presented, std::string_view wanted) = nullptr;
  /// Whether a signature algorithm is verified at all with a key like this.
  bool (*signature_allowed)(const PathSignature& signature, const PathKey& issuer) = nullptr;
  /// Whether a critical extension (dotted numbers) of `certificate` is understood.
  bool (*understands)(const PathFacts& certificate, const std::string& object) = nullptr;
  /// How extensions look that are not as they should be; null where they are as they are.
  ExtensionView view = nullptr;
  /// Whether the names in a certificate, its frame, can be read; null where OpenSSL's word counts.
  bool (*reads_names)(const PathFacts& certificate) = nullptr;
  /// The address (octets) that a host which is asked for is taken for; null where none is.
  std::optional<std::string> (*address_in)(std::string_view host) = nullptr;
  /// What else keeps this verifier from reading a certificate at all; empty when nothing.
  std::string (*unreadable)(const PathCertificate& certificate, Role role) = nullptr;
  /// Which defects this verifier does not see, although it makes the check.
  bool (*overlooks)(const Defect& defect, Role role) = nullptr;

  bool checks(Check check, Role role) const {
    return (places[static_cast<std::size_t>(check)] & static_cast<Places>(role)) != 0;
  }
  bool minds(const Defect& defect, Role role) const {
    return checks(defect.check, role) && !overlooks(defect, role);
  }
};

/// Does it validate? RFC 5280 6 and the policies of `all_checks`: the verdict that decides.
const Rules& own_rules();
/// Is it well made? The checks of RFC 5280 4 that are no matter of safety: findings beside a path
/// that validates. Disjoint from `own_rules`.
const Rules& profile_rules();
/// Both at once: what `own_rules` were if a fault of profile refused.
const Rules& strict_rules();
/// Go's crypto/x509 as istiod and the agents call it.
const Rules& go_rules();
/// BoringSSL as Envoy sets it: partial chains, no way back, a purpose.
const Rules& boringssl_rules();
/// rustls-webpki with ring, as ztunnel calls it.
const Rules& webpki_rules();
/// The three above.
std::span<const Rules* const> modelled_rules();

}  // namespace meshtrust::pki
