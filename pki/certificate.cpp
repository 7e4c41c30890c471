#include "pki/certificate.h"

#include "base/check.h"
#include "base/encoding.h"
#include "pki/certificate_facts.h"
#include "pki/container.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/pem.h"
#include "pki/rehearsal.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <unordered_map>

namespace meshtrust::pki {

using base::Code;
using base::fail;

/// Never changed after it was made, but for what the first who asks makes: the form with a key, and
/// whether that key made the signature. So the copies of a `Certificate` may be used by several
/// threads.
struct Certificate::Content {
  base::Bytes der;
  X509Handle bare;
  CertificateFacts facts;
  mutable std::once_flag once;
  mutable X509Handle x509;
  mutable std::once_flag asked_of_own_key;
  mutable bool is_signed_by_own_key = false;

  class Known;
};

/// Finds the certificates that somebody holds, and the last few that were read, so that one that is
/// read again and again, like the root in a thousand bundles that are compared, is decoded once.
class Certificate::Content::Known {
 public:
  std::shared_ptr<const Content> find(const std::string& fingerprint) {
    const std::lock_guard guard(mutex_);
    const auto found = contents_.find(fingerprint);
    return found == contents_.end() ? nullptr : found->second.lock();
  }

  void add(const std::shared_ptr<const Content>& content) {
    const std::lock_guard guard(mutex_);
    if (contents_.size() >= most_) {
      std::erase_if(contents_, [](const auto& one) { return one.second.expired(); });
      most_ = std::max(kFewest, 2 * contents_.size());
    }
    contents_.insert_or_assign(content->facts.fingerprint, content);
    last_[next_++ % last_.size()] = content;
  }

 private:
  static constexpr std::size_t kFewest = 1024;
  std::mutex mutex_;
  std::size_t most_ = kFewest;
  std::unordered_map<std::string, std::weak_ptr<const Content>> contents_;
  std::array<std::shared_ptr<const Content>, 16> last_;  // nobody else may hold them yet
  std::size_t next_ = 0;
};

Certificate::Certificate(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

base::Result<Certificate> Certificate::from_der(base::ByteView der) {
  static Content::Known known;
  std::string fingerprint = base::to_hex(base::sha256(der));
  if (auto content = known.find(fingerprint)) return Certificate(std::move(content));
  const unsigned char* next = der.data();
  X509Handle x509 = read_bare_x509(&next, der.size());
  if (!x509) return fail(openssl_error(Code::kInvalidInput, "not a certificate"));
  if (next != der.data() + der.size()) {
    return fail(Code::kInvalidInput, "more bytes follow the certificate");
  }
  auto facts = read_facts(*x509);
  if (!facts) return fail(with_context(std::move(facts).error(), "certificate"));
  facts->fingerprint = std::move(fingerprint);
  auto content = std::make_shared<Content>();
  content->der.assign(der.begin(), der.end());
  content->bare = std::move(x509);
  content->facts = *std::move(facts);
  known.add(content);
  return Certificate(std::move(content));
}

X509* x509_of(const Certificate& certificate) {
  const Certificate::Content& content = *certificate.content_;
  std::call_once(content.once, [&content] {
    const unsigned char* next = content.der.data();
    content.x509.reset(d2i_X509(nullptr, &next, static_cast<long>(content.der.size())));
    forget_openssl_errors();  // a key of a kind unknown to OpenSSL leaves some behind
    MESHTRUST_CHECK(content.x509 != nullptr);  // it was read before
  });
  return content.x509.get();
}

X509* bare_x509_of(const Certificate& certificate) {
  return certificate.content_->bare.get();
}

const base::Bytes& Certificate::der() const {
  return content_->der;
}

const CertificateFacts& Certificate::facts() const {
  return content_->facts;
}

std::string Certificate::pem() const {
  return to_pem("CERTIFICATE", der());
}

bool Certificate::is_ca() const {
  return facts().basic_constraints && facts().basic_constraints->is_ca;
}

bool Certificate::is_self_issued() const {
  return facts().subject_der == facts().issuer_der;
}

bool Certificate::is_self_signed() const {
  if (!is_self_issued()) return false;
  std::call_once(content_->asked_of_own_key,
                 [this] { content_->is_signed_by_own_key = is_signed_by(*this); });
  return content_->is_signed_by_own_key;
}

bool Certificate::is_signed_by(const Certificate& issuer) const {
  EVP_PKEY* key = X509_get0_pubkey(x509_of(issuer));
  const bool verified = key != nullptr && X509_verify(x509_of(*this), key) == 1;
  forget_openssl_errors();
  return verified;
}

bool Certificate::has_signed(base::ByteView message, base::ByteView signature) const {
  EVP_PKEY* key = X509_get0_pubkey(x509_of(*this));
  const auto algorithm = key_algorithm_from_name(facts().key_type);
  if (!algorithm) return false;
  const DigestContext context(EVP_MD_CTX_new());
  const bool verified =
      key != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, digest_for(*algorithm), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                       message.size()) == 1;
  forget_openssl_errors();
  return verified;
}

bool KeyUsage::has(std::string_view bit) const {
  return std::ranges::find(bits, bit) != bits.end();
}

base::Result<std::vector<Certificate>> certificates_from_pem(std::string_view pem) {
  MESHTRUST_TRY(const std::vector<PemBlock> blocks, pem_blocks(pem));
  std::vector<Certificate> certificates;
  for (const PemBlock& block : blocks) {
    if (block.label != "CERTIFICATE") continue;
    const std::string which = "certificate " + std::to_string(certificates.size() + 1) + " (line " +
                              std::to_string(block.line) + ")";
    MESHTRUST_TRY(const base::Bytes der, decode(block));
    auto certificate = Certificate::from_der(der);
    if (!certificate) return fail(with_context(std::move(certificate).error(), which));
    certificates.push_back(*std::move(certificate));
  }
  if (certificates.empty()) return fail(no_certificate_in(pem));
  return certificates;
}

std::string to_pem(std::span<const Certificate> certificates) {
  std::string pem;
  for (const Certificate& certificate : certificates) {
    pem += certificate.pem();
  }
  return pem;
}

}  // namespace meshtrust::pki
