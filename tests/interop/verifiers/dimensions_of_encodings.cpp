#include "base/encoding.h"
#include "tests/interop/verifiers/encodings.h"

#include <openssl/x509v3.h>

// The table of dimensions is read best as one, however long it is.

namespace meshtrust::interop {
namespace {

using Values = std::vector<std::string>;

/// An extension by its number, and its value in hex.
struct Written {
  std::string object;
  std::string hex;
};

base::Bytes octets_of(const std::string& hex) {
  return *base::from_hex(hex);
}

/// With more or less in them than belongs there, and what somebody looks at before he gives up.
const std::vector<Written>& odd_extensions() {
  static const std::vector<Written> all = {
      {"2.5.29.19", "30090101FF020101020102"},
      {"2.5.29.19", "30050101FF0500"},
      {"2.5.29.19", "3003010101"},
      {"2.5.29.19", "3006010180020101"},
      {"1.3.6.1.5.5.7.1.1", "300C300A06082B06010505073001"},
      {"1.3.6.1.5.5.7.1.1", "3010300E06082B06010505073001A4020500"},
      {"2.5.29.32", "3009300706032A03040500"},
      {"2.5.29.32", "3018301606032A0304300F300D06082B060105050702020C01FF"},
      {"2.5.29.36", "3006810105800105"},
      {"2.5.29.36", "30058001050500"},
      {"2.5.29.17", "3014820F7765622E6578616D706C652E636F6D890178"},
      {"2.5.29.17", "3014890178820F7765622E6578616D706C652E636F6D"},
      {"2.5.29.17", "3015820F7765622E6578616D706C652E636F6DA4020500"},
      {"2.5.29.17", "3016A203160178820F7765622E6578616D706C652E636F6D"},
      {"2.5.29.17", "3013820F7765622E6578616D706C652E636F6DA000"},
      {"2.5.29.37", "300D06082B06010505070301060180"},
      {"2.5.29.37", "300D06018006082B06010505070301"},
      {"2.5.29.37", "300C06082B060105050703010500"},
      {"2.5.29.37", "300C050006082B06010505070301"},
      {"2.5.29.37", "30020600"},
      {"2.5.29.35", "3003810178"},
      {"2.5.29.35", "300BA106A40430023100820101"},
      {"2.5.29.31", "30020500"},
      {"2.5.29.31", "300430020500"},
      {"2.5.29.31", "30063004A0020500"},
      {"2.5.29.33", "30093007060006032A0304"},
      {"2.5.29.33", "300D300B06032A03040604551D2000"},
      {"2.5.29.30", "3013A011300F820B6578616D706C652E636F6D0500"},
      {"2.5.29.30", "3008A1063004A4020500"},
      {"2.5.29.30", "3007A0053003890178"},
      {"2.5.29.54", "0201050500"},
      {"2.5.29.14", "04036162630500"},
      {"2.5.29.15", "030201060500"}};
  return all;
}

std::size_t any_depth(const Draft& draft, Dice& dice) {
  return roll(dice, draft.levels.size());
}

/// As it stands in the certificate: "YYMMDD..." or "YYYYMMDD...".
void set_time(ASN1_TIME* time, const std::string& text) {
  constexpr std::size_t kShorterThanGeneralized = 14;
  const bool is_utc = text.find_first_of("Z+-") < kShorterThanGeneralized;
  time->type = is_utc ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME;
  ASN1_STRING_set(time, text.data(), static_cast<int>(text.size()));
}

void set_key_parameters(X509& x509, bool null) {
  X509_ALGOR* algorithm = nullptr;
  X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &algorithm, X509_get_X509_PUBKEY(&x509));
  ASN1_TYPE_free(algorithm->parameter);
  algorithm->parameter = nullptr;
  if (!null) return;
  algorithm->parameter = ASN1_TYPE_new();
  ASN1_TYPE_set(algorithm->parameter, V_ASN1_NULL, nullptr);
}

const std::vector<Dimension>& table() {
  static const std::vector<Dimension> all = {
      {"extension with more or less in it",
       [](Draft& d, Dice& r) {
         const Written& odd = pick(r, odd_extensions());
         rework(d, any_depth(d, r),
                [&odd](X509& x509) { set_extension(x509, odd.object, octets_of(odd.hex)); });
       }},
      {"RDN of no attribute",
       [](Draft& d, Dice& r) {
         // Alone, or before O=Forge; of the leaf, because others are found by their names.
         const std::string name =
             pick(r, Values{"30023100", "30123100310E300C060355040A0C05466F726765"});
         rework(d, 0, [name](X509& x509) {
           const base::Bytes der = octets_of(name);
           const unsigned char* next = der.data();
           X509_NAME* subject = d2i_X509_NAME(nullptr, &next, static_cast<long>(der.size()));
           X509_set_subject_name(&x509, subject);
           X509_NAME_free(subject);
         });
       }},
      {"time in another form",
       [](Draft& d, Dice& r) {
         const std::string begin =
             pick(r, Values{"250101000000+0100", "250101000000-1130", "2501010000+0100",
                            "2501010000Z", "20250101000000+0100", "20250101000000-0030",
                            "250101000000+0000", "250101000000", "20250101000000.5Z"});
         rework(d, any_depth(d, r),
                [begin](X509& x509) { set_time(X509_getm_notBefore(&x509), begin); });
       }},
      {"time with an offset around the present",  // 2030-01-01T00:00:00Z
       [](Draft& d, Dice& r) {
         const std::string end = pick(r, Values{"300101000000+0100", "300101010000+0100",
                                                "291231233000-0030", "20300101000001+0000"});
         rework(d, any_depth(d, r),
                [end](X509& x509) { set_time(X509_getm_notAfter(&x509), end); });
       }},
      {"parameters of a key",
       [](Draft& d, Dice& r) {
         const std::size_t depth = any_depth(d, r);
         d.levels[d.levels.size() - 1 - depth].key =
             key_of(r, pick(r, Values{"rsa-2048", "rsa-2048", "ed25519", "p256"}));
         const bool null = roll(r, 2) == 0;
         rework(d, depth, [null](X509& x509) { set_key_parameters(x509, null); });
       }},
      {"parameters of a signature algorithm",
       [](Draft& d, Dice& r) {
         const std::size_t depth = any_depth(d, r);
         const std::size_t issuer = std::max(d.levels.size() - 1 - depth, std::size_t{1}) - 1;
         d.levels[issuer].key = key_of(r, pick(r, Values{"rsa-2048", "ed25519", "p256"}));
         rework_signature(d, depth,
                          pick(r, Values{"", std::string("\x05\x00", 2), "\x02\x01\x01",
                                         std::string("\x30\x00", 2)}));
       }},
  };
  return all;
}

}  // namespace

std::span<const Dimension> dimensions_of_encodings() {
  return table();
}

}  // namespace meshtrust::interop
