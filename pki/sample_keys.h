#pragma once

#include <span>
#include <string_view>

namespace meshtrust::pki {

/// A key whose private half is in the public repository istio/istio.
struct SampleKey {
  std::string_view key_id;          ///< SHA-256 of the SubjectPublicKeyInfo, hex
  std::string_view subject_key_id;  ///< as its certificate and those below name it; often none
  std::string_view file;            ///< of the certificate, and which one where there were several
};

/// All of them: the sample CAs of every release and their workloads, and the CAs of its test data
/// that are found in copies. The one place where they stand.
std::span<const SampleKey> sample_keys();

/// Null for a key that is none.
const SampleKey* find_sample_key(std::string_view key_id);
/// By the identifier that a certificate gives of its issuer's key.
const SampleKey* find_sample_by_identifier(std::string_view subject_key_id);

}  // namespace meshtrust::pki
