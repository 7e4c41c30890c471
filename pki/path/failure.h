#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace meshtrust::pki {

/// Everything that is wrong with a certificate, a path or a revocation list. Some of it refuses,
/// some is a finding beside an accepted path: that is said by `Rules`. The order is the one in
/// which certificates are looked at.
enum class Check : std::uint8_t {
  // The certificate by itself.
  kDer,
  kDerTags,
  kDerPadding,
  kVersion,
  kSerialNegative,
  kSerialZero,
  kSerialLength,
  kSignatureAlgorithmsEqual,
  kSubjectNamed,
  kNamesCritical,
  kEncodingOfTimes,
  kValidityOrder,
  kDuplicateExtension,
  kExtensionReadable,
  kExtensionEmpty,
  kListEmpty,
  kUnknownCritical,
  kCriticalFlags,
  kPolicyFlags,
  kAuthorityKeyForm,
  kOwnKeyIdentifier,
  kCaFlagCritical,
  kAlternativeNamesForm,
  kKeyUsageEmpty,
  kPathLengthWithoutCa,
  kCertSignWithoutCa,
  kCaWithoutCertSign,
  kConstraintsOnLeaf,
  kConstraintsForm,
  kConstraintsBounds,
  kConstraintsDotted,
  kCaAsLeaf,
  kKeyStrength,
  // The certificate at its place and time.
  kNotYetValid,
  kExpired,
  kVersionOfCa,
  kIsCa,
  kMaySign,
  kPathLength,
  kExtendedUsage,
  kLeafUsage,
  kReferenceName,
  // Two certificates.
  kSignatureAlgorithm,
  kSignatureKeyType,
  kSignature,
  kNamePermitted,
  kNameExcluded,
  kNameUnsupported,
  // The path.
  kNoIssuer,
  kSelfSigned,
  kDepth,
  kSearchLimit,
  kPolicy,
  // Revocation lists.
  kRevoked,
  kCrlMissing,
  kCrlUnusable,
  kCrlFresh,
  kCrlSignature,
  kCrlIssuerMaySign,
  kCrlScope,
};

/// What is known of a check wherever it is made.
struct CheckInfo {
  Check check;
  std::string_view id;       ///< stable: "expired", "name_excluded", ...
  std::string_view source;   ///< the clause: "RFC 5280 4.1.2.5", "policy: ..."
  std::string_view summary;  ///< what must hold, in one line
  /// The rule of `lint` that says the same; empty where it is only ever a refusal.
  std::string_view lint_rule = {};
};

/// All of them, in the order of `Check`.
std::span<const CheckInfo> all_checks();
const CheckInfo& info_of(Check check);

/// Which certificate of a path is meant.
enum class Role : std::uint8_t { kLeaf = 1, kIntermediate = 2, kAnchor = 4 };
std::string_view name_of(Role role);

/// One thing that is wrong, as data. `found` and `wanted` hold numbers, dates or names, never text
/// that has to be parsed.
struct PathFailure {
  Check check = Check::kNoIssuer;
  Role role = Role::kLeaf;
  std::size_t depth = 0;    ///< 0 is the leaf
  std::string subject;      ///< of the certificate
  std::string fingerprint;  ///< SHA-256, hex
  std::string found;
  std::string wanted;

  std::string_view id() const { return info_of(check).id; }
  /// "intermediate 'CN=east' expired: found 2029-12-31T00:00:00Z, wanted ... (RFC 5280 4.1.2.5)".
  std::string text() const;

  friend bool operator==(const PathFailure&, const PathFailure&) = default;
};

}  // namespace meshtrust::pki
