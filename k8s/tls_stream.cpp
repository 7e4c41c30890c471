#include "k8s/tls_stream.h"

#include "base/check.h"
#include "base/text.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

namespace meshtrust::k8s {
namespace {

using base::ByteView;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr std::string_view kCut = "the other end closed the connection without a goodbye";

template <auto Free>
struct FreeWith {
  void operator()(auto* object) const noexcept { Free(object); }
};
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Context = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Address = std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>>;

/// The first error of OpenSSL's queue in its own words, and the queue emptied.
std::string take_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown TLS error" : reason;
}

Status trust_roots(SSL_CTX* context, std::string_view pem) {
  const Bio reader(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  int count = 0;
  for (;;) {
    const Certificate root(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
    if (!root) break;
    MESHTRUST_CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) == 1);
    ++count;
  }
  ERR_clear_error();
  if (count > 0) return {};
  return fail(Code::kInvalidInput, "the roots to verify with hold no PEM certificate");
}

/// RFC 7301 section 3.1: each name after its length.
base::Bytes alpn_list(const std::vector<std::string>& protocols) {
  base::Bytes out;
  for (const std::string& name : protocols) {
    MESHTRUST_CHECK(!name.empty() && name.size() <= std::numeric_limits<std::uint8_t>::max());
    out.push_back(static_cast<std::uint8_t>(name.size()));
    out.insert(out.end(), name.begin(), name.end());
  }
  return out;
}

/// Called only when the server asks for a certificate.
int note_request(SSL* session, X509** /*certificate*/, EVP_PKEY** /*key*/) {
  *static_cast<bool*>(SSL_get_app_data(session)) = true;
  return 0;
}

base::Bytes der_of(const X509* certificate) {
  std::uint8_t* encoded = nullptr;
  const int size = i2d_X509(certificate, &encoded);
  MESHTRUST_CHECK(size > 0);
  base::Bytes out(encoded, encoded + size);
  OPENSSL_free(encoded);
  return out;
}

}  // namespace

struct TlsStream::State {
  std::unique_ptr<ByteStream> below;
  TlsPeer peer = {};
  Context context = Context(SSL_CTX_new(TLS_client_method()));
  Session session = {};
  BIO* incoming = nullptr;  ///< what came from below; owned by the session
  BIO* outgoing = nullptr;  ///< what is to go there; likewise

  Status prepare(const TlsTarget& target, base::Instant now);
  void expect_name(const std::string& name) const;
  Status shake_hands();
  void look_at_peer(const TlsTarget& target);

  Status flush() const;
  /// Whether more came from below: false at its end.
  Result<bool> fill() const;
  /// Repeats `operation` until it has what it needs from below. Its result, or 0 when the peer has
  /// said goodbye.
  Result<int> drive(const std::function<int()>& operation) const;
};

Status TlsStream::State::prepare(const TlsTarget& target, base::Instant now) {
  MESHTRUST_CHECK(context != nullptr);
  MESHTRUST_CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
  // The handshake goes on whatever the verification says; its result is read afterwards.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_client_cert_cb(context.get(), &note_request);
  if (!target.roots.empty()) MESHTRUST_TRY_DO(trust_roots(context.get(), target.roots));

  session.reset(SSL_new(context.get()));
  incoming = BIO_new(BIO_s_mem());
  outgoing = BIO_new(BIO_s_mem());
  MESHTRUST_CHECK(session && incoming != nullptr && outgoing != nullptr);
  SSL_set_bio(session.get(), incoming, outgoing);
  SSL_set_connect_state(session.get());
  SSL_set_app_data(session.get(), &peer.asked_for_client_certificate);
  X509_VERIFY_PARAM_set_time(SSL_get0_param(session.get()), now.time_since_epoch().count());
  if (!target.server_name.empty()) expect_name(target.server_name);
  const base::Bytes alpn = alpn_list(target.protocols);
  if (!alpn.empty()) {
    MESHTRUST_CHECK(SSL_set_alpn_protos(session.get(), alpn.data(),
                                        static_cast<unsigned int>(alpn.size())) == 0);
  }
  return {};
}

void TlsStream::State::expect_name(const std::string& name) const {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(session.get());
  const Address address(a2i_IPADDRESS(name.c_str()));
  ERR_clear_error();
  if (address) {  // an address is no server name (RFC 6066 section 3)
    MESHTRUST_CHECK(X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1);
    return;
  }
  X509_VERIFY_PARAM_set_hostflags(
      parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  MESHTRUST_CHECK(X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1);
  MESHTRUST_CHECK(SSL_set_tlsext_host_name(session.get(), name.c_str()) == 1);
}

Status TlsStream::State::shake_hands() {
  auto done = drive([this] { return SSL_do_handshake(session.get()); });
  if (!done) return fail(base::with_context(std::move(done).error(), "TLS handshake"));
  if (*done == 0) return fail(Code::kUnavailable, "TLS handshake: the other end left");
  return {};
}

void TlsStream::State::look_at_peer(const TlsTarget& target) {
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(session.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    peer.chain.push_back(der_of(sk_X509_value(chain, i)));
  }
  peer.version = SSL_get_version(session.get());
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(session.get(), &protocol, &size);
  peer.protocol = base::as_text(ByteView(protocol, size));
  if (target.roots.empty()) return;
  const long result = SSL_get_verify_result(session.get());
  if (result == X509_V_OK) {
    peer.verdict = TlsVerdict::kTrusted;
    peer.verified_name = target.server_name;
  } else {
    peer.verdict = TlsVerdict::kUntrusted;
    peer.objection = X509_verify_cert_error_string(result);
  }
}

Status TlsStream::State::flush() const {
  std::array<std::uint8_t, 16'384> part{};
  for (;;) {
    const int size = BIO_read(outgoing, part.data(), static_cast<int>(part.size()));
    if (size <= 0) return {};
    MESHTRUST_TRY_DO(below->write(std::span(part).first(static_cast<std::size_t>(size))));
  }
}

Result<bool> TlsStream::State::fill() const {
  std::array<std::uint8_t, 16'384> part{};
  MESHTRUST_TRY(const std::size_t size, below->read(part));
  if (size == 0) return false;
  MESHTRUST_CHECK(BIO_write(incoming, part.data(), static_cast<int>(size)) ==
                  static_cast<int>(size));
  return true;
}

Result<int> TlsStream::State::drive(const std::function<int()>& operation) const {
  for (;;) {
    ERR_clear_error();
    const int result = operation();
    const int state = SSL_get_error(session.get(), result);
    const std::string words = state == SSL_ERROR_SSL ? take_error() : "";
    // Before looking at the outcome, since an alert may be in there.
    const Status flushed = flush();
    if (state == SSL_ERROR_SSL) return fail(Code::kUnavailable, base::printable(words));
    if (!flushed) return fail(flushed.error());
    if (state == SSL_ERROR_NONE) return result;
    if (state == SSL_ERROR_ZERO_RETURN) return 0;
    MESHTRUST_CHECK(state == SSL_ERROR_WANT_READ);  // memory has always room to write
    MESHTRUST_TRY(const bool more, fill());
    if (!more) return fail(Code::kUnavailable, std::string(kCut));
  }
}

TlsStream::TlsStream(std::unique_ptr<State> state) : state_(std::move(state)) {}

TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::open(std::unique_ptr<ByteStream> below,
                                                   const TlsTarget& target,
                                                   const base::Clock& clock) {
  auto state = std::make_unique<State>(State{.below = std::move(below)});
  MESHTRUST_TRY_DO(state->prepare(target, clock.now()));
  MESHTRUST_TRY_DO(state->shake_hands());
  state->look_at_peer(target);
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(state)));
}

const TlsPeer& TlsStream::peer() const {
  return state_->peer;
}

void TlsStream::set_deadline(base::Clock::Steady deadline) {
  state_->below->set_deadline(deadline);
}

Result<std::size_t> TlsStream::read(std::span<std::uint8_t> into) {
  const int most = static_cast<int>(std::min<std::size_t>(into.size(), 1U << 20U));
  MESHTRUST_TRY(const int size,
                state_->drive([&] { return SSL_read(state_->session.get(), into.data(), most); }));
  return static_cast<std::size_t>(size);
}

Status TlsStream::write(ByteView bytes) {
  while (!bytes.empty()) {
    const int part = static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 20U));
    MESHTRUST_TRY(const int size, state_->drive([&] {
      return SSL_write(state_->session.get(), bytes.data(), part);
    }));
    if (size == 0) return fail(Code::kUnavailable, "the other end has closed the TLS connection");
    bytes = bytes.subspan(static_cast<std::size_t>(size));
  }
  return {};
}

Status TlsStream::close() {
  SSL_shutdown(state_->session.get());  // only says it; nobody waits for an answer
  ERR_clear_error();
  MESHTRUST_TRY_DO(state_->flush());
  return state_->below->close();
}

Result<TlsPeer> probe_tls(std::unique_ptr<ByteStream> below,
                          const TlsTarget& target,
                          const base::Clock& clock) {
  MESHTRUST_TRY(const auto stream, TlsStream::open(std::move(below), target, clock));
  const TlsPeer peer = stream->peer();
  // What was to be seen was seen, however the goodbye turns out.
  (void)stream->close();
  return peer;
}

}  // namespace meshtrust::k8s
