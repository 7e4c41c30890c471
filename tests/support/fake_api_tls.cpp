#include "tests/support/fake_api_tls.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <atomic>
#include <sys/socket.h>
#include <unistd.h>

namespace meshtrust::test {
namespace {

template <auto Free>
struct FreeWith {
  void operator()(auto* object) const noexcept { Free(object); }
};
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Pkey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, FreeWith<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Cert read_certificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Pkey read_key(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Pkey(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

struct Wanted {
  std::string common_name;
  std::string organization;
  base::Instant not_before;
  base::Instant not_after;
  bool is_ca = false;
  std::string extended_usage;
  std::string alternative_names;
};

void add_extension(X509* certificate, int id, const std::string& value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str()));
  MESHTRUST_CHECK(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

/// Signed by `issuer`, or by itself when there is none.
TestPair mint(const Wanted& wanted, const TestPair* issuer) {
  static std::atomic<long> serial{1};
  const Pkey key(EVP_EC_gen("P-256"));
  const Cert certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()),
                wanted.not_before.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), wanted.not_after.time_since_epoch().count());
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto add = [&](const char* field, const std::string& value) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL's idea of text
    const auto* bytes = reinterpret_cast<const unsigned char*>(value.c_str());
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes, -1, -1, 0);
  };
  if (!wanted.organization.empty()) add("O", wanted.organization);
  add("CN", wanted.common_name);
  add_extension(certificate.get(), NID_basic_constraints,
                wanted.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
  if (!wanted.extended_usage.empty()) {
    add_extension(certificate.get(), NID_ext_key_usage, wanted.extended_usage);
  }
  if (!wanted.alternative_names.empty()) {
    add_extension(certificate.get(), NID_subject_alt_name, wanted.alternative_names);
  }
  if (issuer != nullptr) {
    const Cert parent = read_certificate(issuer->certificate);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(parent.get()));
    MESHTRUST_CHECK(X509_sign(certificate.get(), read_key(issuer->key).get(), EVP_sha256()) > 0);
  } else {
    X509_set_issuer_name(certificate.get(), name);
    MESHTRUST_CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  }
  const Bio certificate_pem(BIO_new(BIO_s_mem()));
  const Bio key_pem(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_pem.get(), certificate.get());
  PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {.certificate = text_of(certificate_pem.get()), .key = text_of(key_pem.get())};
}

class OpenSslStream final : public TlsStream {
 public:
  OpenSslStream(SSL* ssl, int fd) : ssl_(ssl), fd_(fd) {}
  OpenSslStream(const OpenSslStream&) = delete;
  OpenSslStream& operator=(const OpenSslStream&) = delete;
  ~OpenSslStream() override {
    if (!aborted_) SSL_shutdown(ssl_.get());
    ssl_.reset();
    close(fd_);
  }

  std::optional<std::string> read_until(std::string_view end) override {
    for (;;) {
      if (const std::size_t at = buffer_.find(end); at != std::string::npos) {
        return take(at + end.size());
      }
      if (!fill()) return std::nullopt;
    }
  }

  std::optional<std::string> read_exactly(std::size_t size) override {
    while (buffer_.size() < size) {
      if (!fill()) return std::nullopt;
    }
    return take(size);
  }

  bool write(std::string_view data) override {
    return data.empty() || SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size())) > 0;
  }

  void abort() override {
    aborted_ = true;
    shutdown(fd_, SHUT_RDWR);
  }

  bool has_pending() const override { return !buffer_.empty() || SSL_pending(ssl_.get()) > 0; }
  int fd() const override { return fd_; }

  /// Lets the peer read the alert: closing over unread bytes would reset the connection.
  void refuse() {
    aborted_ = true;
    shutdown(fd_, SHUT_WR);
    std::array<char, 4'096> ignored{};
    while (read(fd_, ignored.data(), ignored.size()) > 0) {
    }
  }

 private:
  std::string take(std::size_t size) {
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }

  bool fill() {
    std::array<char, 16'384> part{};
    const int got = SSL_read(ssl_.get(), part.data(), static_cast<int>(part.size()));
    ERR_clear_error();
    if (got <= 0) return false;
    buffer_.append(part.data(), static_cast<std::size_t>(got));
    return true;
  }

  std::unique_ptr<SSL, FreeWith<SSL_free>> ssl_;
  int fd_;
  bool aborted_ = false;
  std::string buffer_;
};

}  // namespace

TestAuthority::TestAuthority(std::string_view common_name) {
  // Wide enough that no test depends on the day it runs on.
  pair_ = mint({.common_name = std::string(common_name),
                .organization = {},
                .not_before = *base::parse_rfc3339("2000-01-01T00:00:00Z"),
                .not_after = *base::parse_rfc3339("2100-01-01T00:00:00Z"),
                .is_ca = true,
                .extended_usage = {},
                .alternative_names = {}},
               nullptr);
}

TestPair TestAuthority::server(base::Instant not_before, base::Instant not_after) const {
  return mint({.common_name = "fake API server",
               .organization = {},
               .not_before = not_before,
               .not_after = not_after,
               .is_ca = false,
               .extended_usage = "serverAuth",
               .alternative_names = "IP:127.0.0.1,DNS:localhost,DNS:api.fake.test"},
              &pair_);
}

TestPair TestAuthority::server_named(std::string_view common_name,
                                     std::string_view alternative_names) const {
  return mint({.common_name = std::string(common_name),
               .organization = {},
               .not_before = *base::parse_rfc3339("2000-01-01T00:00:00Z"),
               .not_after = *base::parse_rfc3339("2100-01-01T00:00:00Z"),
               .is_ca = false,
               .extended_usage = "serverAuth",
               .alternative_names = std::string(alternative_names)},
              &pair_);
}

TestPair TestAuthority::client(std::string_view name,
                               base::Instant not_before,
                               base::Instant not_after) const {
  return mint({.common_name = std::string(name),
               .organization = "system:masters",
               .not_before = not_before,
               .not_after = not_after,
               .is_ca = false,
               .extended_usage = "clientAuth",
               .alternative_names = {}},
              &pair_);
}

int choose_http2(SSL* /*ssl*/,
                 const unsigned char** out,
                 unsigned char* out_size,
                 const unsigned char* in,
                 unsigned int in_size,
                 void* /*unused*/) {
  static constexpr std::array<unsigned char, 3> kH2{2, 'h', '2'};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): OpenSSL's own signature
  auto** chosen = const_cast<unsigned char**>(out);
  const int found = SSL_select_next_proto(chosen, out_size, kH2.data(), kH2.size(), in, in_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct TlsContext::State {
  std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context{SSL_CTX_new(TLS_server_method())};
};

TlsContext::TlsContext(const TlsServerConfig& config) : state_(std::make_unique<State>()) {
  SSL_CTX* context = state_->context.get();
  MESHTRUST_CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  const Cert certificate = read_certificate(config.identity.certificate);
  const Pkey key = read_key(config.identity.key);
  MESHTRUST_CHECK(SSL_CTX_use_certificate(context, certificate.get()) == 1);
  MESHTRUST_CHECK(SSL_CTX_use_PrivateKey(context, key.get()) == 1);
  if (config.http2) SSL_CTX_set_alpn_select_cb(context, &choose_http2, nullptr);
  if (config.client_authority.empty()) return;
  const Cert authority = read_certificate(config.client_authority);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
  const int must = config.require_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | must, nullptr);
}

TlsContext::~TlsContext() = default;

std::unique_ptr<TlsStream> TlsContext::accept(int fd) const {
  SSL* ssl = SSL_new(state_->context.get());
  SSL_set_fd(ssl, fd);
  auto stream = std::make_unique<OpenSslStream>(ssl, fd);
  if (SSL_accept(ssl) == 1) return stream;
  ERR_clear_error();
  stream->refuse();
  return nullptr;
}

}  // namespace meshtrust::test
