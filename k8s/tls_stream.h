#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "k8s/byte_stream.h"

#include <memory>
#include <string>
#include <vector>

namespace meshtrust::k8s {

/// What a TLS client asks for.
struct TlsTarget {
  /// Sent as SNI (unless it is an address) and looked for in the certificate; "" for neither.
  std::string server_name = {};
  /// For ALPN, the most wanted first ("h2"); empty for no ALPN.
  std::vector<std::string> protocols = {};
  /// PEM of the roots to verify against; "" verifies nothing.
  std::string roots = {};
};

/// What became of the verification that was asked for.
enum class TlsVerdict {
  kNotAsked,   ///< no roots were given
  kTrusted,    ///< the chain leads to one of them, is in force, for a server of that name
  kUntrusted,  ///< it does not
};

/// The other end, as its handshake showed it.
struct TlsPeer {
  std::vector<base::Bytes> chain = {};        ///< DER, as it was sent: its own certificate first
  std::string version = {};                   ///< "TLSv1.3"
  std::string protocol = {};                  ///< picked by ALPN, or ""
  bool asked_for_client_certificate = false;  ///< we never send one
  TlsVerdict verdict = TlsVerdict::kNotAsked;
  std::string verified_name =
      {};                      ///< with the chain, when that is trusted and a name was asked for
  std::string objection = {};  ///< why it is not trusted: "certificate has expired"
};

/// TLS 1.2 or newer, as a client, over another stream. The handshake is completed with whomever is
/// there, for a probe wants to see certificates that are wrong; whether they are right stands in
/// `peer().verdict`, and who sends anything worth protecting looks at it first.
class TlsStream final : public ByteStream {
 public:
  /// Shakes hands; `clock` says for which time certificates are verified. kUnavailable when there
  /// is no handshake, kInvalidInput when the roots are no PEM certificates.
  static base::Result<std::unique_ptr<TlsStream>> open(std::unique_ptr<ByteStream> below,
                                                       const TlsTarget& target,
                                                       const base::Clock& clock);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream() override;

  const TlsPeer& peer() const;

  void set_deadline(base::Clock::Steady deadline) override;
  base::Result<std::size_t> read(std::span<std::uint8_t> into) override;
  base::Status write(base::ByteView bytes) override;
  base::Status close() override;

 private:
  struct State;
  explicit TlsStream(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

/// Only looks: shakes hands and leaves.
base::Result<TlsPeer> probe_tls(std::unique_ptr<ByteStream> below,
                                const TlsTarget& target,
                                const base::Clock& clock);

}  // namespace meshtrust::k8s
