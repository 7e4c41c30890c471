#include "k8s/tls_material.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <chrono>
#include <ctime>
#include <memory>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;

template <auto Free>
struct FreeWith {
  void operator()(auto* object) const noexcept { Free(object); }
};
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

Bio reader(std::string_view pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

/// Says "no passphrase" where OpenSSL would ask at the terminal.
int refuse_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return -1;
}

X509Ptr next_certificate(BIO* bio) {
  X509Ptr certificate(PEM_read_bio_X509(bio, nullptr, &refuse_passphrase, nullptr));
  ERR_clear_error();
  return certificate;
}

std::optional<base::Instant> expiry_of(const X509* certificate) {
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return std::nullopt;
  return std::chrono::floor<base::Seconds>(std::chrono::system_clock::from_time_t(timegm(&time)));
}

}  // namespace

std::size_t count_certificates(std::string_view pem) {
  const Bio bio = reader(pem);
  std::size_t count = 0;
  while (next_certificate(bio.get())) {
    ++count;
  }
  return count;
}

base::Result<ClientIdentity> make_identity(std::string_view certificate_pem, base::Secret key_pem) {
  const Bio certificates = reader(certificate_pem);
  const X509Ptr certificate = next_certificate(certificates.get());
  if (!certificate) return fail(Code::kInvalidInput, "client certificate is not a PEM certificate");

  const Bio keys = reader(reveal(key_pem, "client key for TLS"));
  const PkeyPtr key(PEM_read_bio_PrivateKey(keys.get(), nullptr, &refuse_passphrase, nullptr));
  ERR_clear_error();
  if (!key) return fail(Code::kInvalidInput, "client key is not an unencrypted PEM private key");
  const bool fits = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!fits) return fail(Code::kInvalidInput, "client key does not belong to the certificate");
  return ClientIdentity{.certificate = std::string(certificate_pem),
                        .key = std::move(key_pem),
                        .expires = expiry_of(certificate.get())};
}

}  // namespace meshtrust::k8s
