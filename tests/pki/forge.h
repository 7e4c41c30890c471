#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "pki/certificate.h"
#include "pki/issue.h"
#include "pki/revocation_list.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using EVP_PKEY = struct evp_pkey_st;

namespace meshtrust::pki::testing {

/// 2030-01-01T00:00:00Z, the present of these tests.
constexpr base::Instant kNow{std::chrono::seconds(1893456000)};

/// 1, 2, 3, ... for serials that a test can foresee.
class CountingRandom final : public base::Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      byte = next_++;
    }
  }

 private:
  std::uint8_t next_ = 1;
};

/// The file tests/data/pki/NAME.
std::string fixture(const std::string& name);
base::Secret secret_fixture(const std::string& name);

using Key = std::shared_ptr<EVP_PKEY>;
Key ec_key(const char* curve = "P-256");
Key rsa_key(unsigned bits);
/// Of 2048 bits; `exponent` is decimal and odd. With 1 a signature is its own message.
Key rsa_key_with_exponent(std::string_view exponent);
Key ed25519_key();

/// An extension as the openssl.cnf language has it: {"basicConstraints", "critical,CA:TRUE"}. A
/// name of dotted numbers takes "DER:..." values.
using ExtensionText = std::pair<std::string, std::string>;

/// A certificate that breaks any rule one likes; as it stands, one of a root that breaks none.
struct Forgery {
  int version = 3;
  std::string serial = "0123456789abcdef0123456789abcdef";  ///< hex, "-" in front when negative
  std::string subject = "O=Forge,CN=Root";                  ///< empty for none
  base::Instant not_before = kNow - base::days(10);
  base::Instant not_after = kNow + base::days(3650);
  std::vector<ExtensionText> extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                           {"keyUsage", "critical,keyCertSign,cRLSign"},
                                           {"subjectKeyIdentifier", "hash"}};
  Key key = ec_key();
  const char* digest = "SHA256";
  std::optional<std::string> issuer_name;  ///< another name than the issuer's
  bool issuer_as_printable = false;        ///< re-encodes the issuer's name as PrintableString
  Key signing_key;                         ///< another key than the issuer's
  bool compressed_point = false;
  bool pss = false;  ///< an RSA issuer signs with PSS

  /// Replaces the extension of this name; with an empty value it is left out.
  Forgery& with(const std::string& name, const std::string& value);
};

struct Identity {
  Certificate certificate;
  Key key;
};

/// Self-signed.
Identity forge_root(const Forgery& wanted = {});

/// A good intermediate below nobody yet, a good workload leaf likewise.
Forgery intermediate_forgery(std::string subject = "O=Forge,CN=east");
Forgery leaf_forgery();

Identity forge(const Forgery& wanted, const Identity& issuer);
/// The same as DER, for what does not even parse; below nobody: self-signed.
base::Bytes forge_der(const Forgery& wanted, const Identity* issuer);

/// A revocation list that breaks any rule one likes; as it stands, one that breaks none.
struct ListForgery {
  int version = 2;
  base::Instant this_update = kNow - base::days(1);
  std::optional<base::Instant> next_update = kNow + base::days(90);
  std::vector<ExtensionText> extensions = {{"authorityKeyIdentifier", "keyid:always"}};
  std::optional<long> number = 7;
  std::vector<std::string> revoked;  ///< serials, hex
  const char* digest = "SHA256";
  Key signing_key;  ///< another key than the issuer's
};
RevocationList forge_list(const ListForgery& wanted, const Identity& issuer);

/// A template that `issue_root` and `issue_intermediate` accept.
CaTemplate wanted_ca(std::string_view subject,
                     base::Seconds lifetime = base::days(3650),
                     base::Instant not_before = kNow - kBackdate);

}  // namespace meshtrust::pki::testing
