#include "pki/der.h"
#include "pki/lint_rules.h"
#include "pki/openssl_values.h"
#include "pki/sample_keys.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include <algorithm>
#include <array>
#include <charconv>

// Rules about keys and signatures.

namespace meshtrust::pki {
namespace {

/// N of "rsa-N", or 0.
int rsa_bits(std::string_view key_type) {
  constexpr std::string_view kPrefix = "rsa-";
  if (!key_type.starts_with(kPrefix)) return 0;
  const std::string_view digits = key_type.substr(kPrefix.size());
  int bits = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  return bits;
}

constexpr int kLeastRsa = 2048;
constexpr int kMostRsa = 8192;
constexpr int kSlowRsa = 4096;

std::string check_key_type(const LintSubject& subject) {
  const std::string& type = facts_of(subject).key_type;
  if (rsa_bits(type) >= kLeastRsa) return "";
  constexpr std::array<std::string_view, 4> kGood = {"ecdsa-p256", "ecdsa-p384", "ecdsa-p521",
                                                     "ed25519"};
  if (std::ranges::find(kGood, type) != kGood.end()) return "";
  return "key is " + type + ", wanted RSA from 2048 bits or ECDSA on P-256 or P-384";
}

std::string check_rsa_too_large(const LintSubject& subject) {
  const int bits = rsa_bits(facts_of(subject).key_type);
  return bits <= kMostRsa ? "" : "key is rsa-" + std::to_string(bits) + ", wanted at most rsa-8192";
}

std::string check_rsa_cost(const LintSubject& subject) {
  const int bits = rsa_bits(facts_of(subject).key_type);
  if (bits < kSlowRsa || bits > kMostRsa) return "";
  return "key is rsa-" + std::to_string(bits) + ", where ecdsa-p256 would do";
}

/// What Go, the narrowest, takes: with 1 everybody can sign, and an even one fits no key.
std::string check_rsa_exponent(const LintSubject& subject) {
  if (rsa_bits(facts_of(subject).key_type) == 0) return "";
  EVP_PKEY* key = X509_get0_pubkey(x509_of(subject.certificate));
  BIGNUM* found = nullptr;
  if (key == nullptr || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &found) != 1) return "";
  const BigNumber exponent(found);
  constexpr int kMostBits = 31;
  const bool small = BN_is_one(found) == 1 || BN_is_zero(found) == 1;
  if (BN_is_odd(found) == 1 && !small && BN_num_bits(found) <= kMostBits) return "";
  const std::string wanted = ", wanted an odd number from 3 to 31 bits, best 65537";
  if (BN_num_bits(found) > kMostBits) {
    return "exponent of the key has " + std::to_string(BN_num_bits(found)) + " bits" + wanted;
  }
  return "exponent of the key is " + std::to_string(BN_get_word(found)) + wanted;
}

std::string check_p521(const LintSubject& subject) {
  return facts_of(subject).key_type == "ecdsa-p521" ? "key is ecdsa-p521, wanted P-256 or P-384"
                                                    : "";
}

std::string check_ed25519(const LintSubject& subject) {
  return facts_of(subject).key_type == "ed25519" ? "key is ed25519, wanted ECDSA or RSA" : "";
}

/// Go reads only uncompressed points; a curve that is spelled out has no type of ours.
std::string check_uncompressed_point(const LintSubject& subject) {
  if (!facts_of(subject).key_type.starts_with("ecdsa-")) return "";
  const base::ByteView point =
      content_of(X509_get0_pubkey_bitstr(bare_x509_of(subject.certificate)));
  return !point.empty() && point.front() == POINT_CONVERSION_UNCOMPRESSED
             ? ""
             : "the point of the key is compressed, wanted it uncompressed";
}

std::string check_signature_hash(const LintSubject& subject) {
  const std::string& found = facts_of(subject).signature_algorithm;
  if (is_good_signature(found)) return "";
  return "signature is " + quoted(found) + ", wanted SHA-256, SHA-384 or SHA-512 with RSA or ECDSA";
}

/// Whether the signature can have been made by the key that is said to have made it.
std::string check_signature_fits(const LintSubject& subject) {
  const bool own = subject.role == LintRole::kRoot;
  if (!own && subject.issuer == nullptr) return "";
  const std::string& key = own ? facts_of(subject).key_type : subject.issuer->facts().key_type;
  const std::string& found = facts_of(subject).signature_algorithm;
  const bool by_rsa = found.ends_with("WithRSAEncryption") || found.starts_with("rsa");
  if ((key.starts_with("rsa-") && by_rsa) ||
      (key.starts_with("ecdsa-") && found.starts_with("ecdsa-")) ||
      (key == "ed25519" && found == "ED25519")) {
    return "";
  }
  return "signature is " + quoted(found) + ", which " + (own ? "its own" : "the issuer's") +
         " key (" + key + ") cannot make";
}

/// By the key itself; of an issuer that is not at hand by the identifier that is given of its key.
std::string check_sample_key(const LintSubject& subject) {
  const CertificateFacts& facts = facts_of(subject);
  const auto told = [](std::string_view what, const SampleKey& sample) {
    return std::string(what) + " the key of Istio's public sample '" + std::string(sample.file) +
           "': everybody has the private key";
  };
  if (const SampleKey* own = find_sample_key(facts.key_id)) return told("this is", *own);
  if (subject.issuer != nullptr) {
    const SampleKey* above = find_sample_key(subject.issuer->facts().key_id);
    if (above != nullptr) return told("this is issued by", *above);
  }
  const SampleKey* named = find_sample_by_identifier(facts.authority_key_id.value_or(""));
  return named == nullptr ? "" : told("this is issued by", *named);
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;
constexpr auto kNote = Severity::kNote;

constexpr std::array kRules = {
    CertificateRule{
        {"key-type", kError, kCertificates,
         "mesh policy: what Go, BoringSSL, rustls and OpenSSL all accept",
         "the key is RSA from 2048 bits or ECDSA on a curve by its name", "ztunnel, OpenSSL",
         "Envoy alone accepts RSA-1024, so a test that only looks at sidecars passes. istiod "
         "starts with such a CA and signs with it."},
        check_key_type},
    CertificateRule{{"key-rsa-too-large", kError, kCertificates, "Go crypto/tls, rustls-webpki",
                     "an RSA key has at most 8192 bits", "Go, ztunnel",
                     "Both bound the work that a stranger's certificate may cause."},
                    check_rsa_too_large},
    CertificateRule{
        {"key-rsa-cost", kNote, kAuthorities, "mesh policy: bytes and time of a handshake",
         "a CA key is ECDSA, or RSA below 4096 bits", "",
         "Nothing refuses it. But every handshake carries the chain (half a kilobyte more for each "
         "such certificate), and istiod signs some twenty times fewer certificates a second, which "
         "is felt when a whole fleet renews at once. ECDSA P-256 is accepted by every verifier of "
         "a mesh and as strong as RSA-3072."},
        check_rsa_cost},
    CertificateRule{
        {"key-rsa-exponent", kError, kCertificates, "RFC 8017 3.1, Go crypto/rsa",
         "the exponent of an RSA key is odd, above 1 and below 2^31", "Go, Envoy, ztunnel",
         "With the exponent 1 a signature is its own message, so anybody can sign for "
         "the key. Go refuses more than 31 bits, the others more than 33."},
        check_rsa_exponent},
    CertificateRule{{"key-p521", kError, kAuthorities, "rustls with ring", "no CA key is on P-521",
                     "ztunnel (built on ring)",
                     "Whether rustls knows P-521 depends on how it was built. Use P-256 or P-384."},
                    check_p521},
    CertificateRule{{"key-ed25519", kNote, kAuthorities, "Istio contract: no test covers it",
                     "a CA key is ECDSA or RSA", "",
                     "Go, Envoy, ztunnel and OpenSSL accept it, and istiod signs with it, but no "
                     "test of Istio's own covers it, and FIPS builds refuse it."},
                    check_ed25519},
    CertificateRule{{"uncompressed-point", kError, kCertificates, "RFC 5480 2.2",
                     "an ECDSA key is an uncompressed point", "Go, ztunnel",
                     "Go does not read compressed points, so istiod does not load the file; "
                     "ztunnel verifies nothing with them."},
                    check_uncompressed_point},
    CertificateRule{{"signature-hash", kError, kIntermediates | kWorkloads, "RFC 8017, RFC 5758",
                     "the signature is SHA-2 with RSA (PKCS#1 v1.5) or ECDSA, or Ed25519",
                     "Go, ztunnel, OpenSSL",
                     "SHA-1 and MD5 can be forged. Envoy alone still accepts SHA-1, so sidecars "
                     "seem to work while agents and ztunnel refuse."},
                    check_signature_hash},
    CertificateRule{{"root-signature-hash", kWarning, kRoots, "RFC 8017, RFC 5758",
                     "a root's signature over itself is SHA-2 with RSA or ECDSA, or Ed25519", "",
                     "Nobody verifies a root's own signature, so it works; it tells that the root "
                     "is from a tool of another age."},
                    check_signature_hash},
    CertificateRule{{"signature-fits-key", kError, kCertificates, "RFC 5280 4.1.1.2",
                     "the signature algorithm fits the signing key", "Go, Envoy, ztunnel, OpenSSL",
                     "The key that is said to have signed cannot have made this signature."},
                    check_signature_fits},
    CertificateRule{{"sample-key", kError, kCertificates, "istio/istio samples/certs",
                     "neither the key nor the issuer's is of Istio's public samples", "",
                     "The private keys lie in a public repository: whoever can reach a port of the "
                     "mesh can be any workload in it. Mint a CA of your own and rotate."},
                    check_sample_key},
};

}  // namespace

bool is_good_signature(std::string_view algorithm) {
  constexpr std::array<std::string_view, 7> kGood = {"sha256WithRSAEncryption",
                                                     "sha384WithRSAEncryption",
                                                     "sha512WithRSAEncryption",
                                                     "ecdsa-with-SHA256",
                                                     "ecdsa-with-SHA384",
                                                     "ecdsa-with-SHA512",
                                                     "ED25519"};
  return std::ranges::find(kGood, algorithm) != kGood.end();
}

std::span<const CertificateRule> rules_of_keys() {
  return kRules;
}

}  // namespace meshtrust::pki
