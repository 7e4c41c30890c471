#include "pki/certificate_builder.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/key_text.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"
#include "pki/openssl_values.h"
#include "pki/rehearsal.h"

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

constexpr int kSerialRandomBytes = 16;
constexpr std::size_t kKeyIdBytes = 20;
constexpr int kKeyCertSignBit = 5;  // RFC 5280 4.2.1.3
constexpr int kCrlSignBit = 6;

base::Error cannot_encode(std::string_view what) {
  return openssl_error(Code::kInternal, "encoding the " + std::string(what));
}

/// 128 random bits behind an octet of 1: always positive, never zero, always 17 octets.
base::Status set_serial(X509* x509, base::Random& random) {
  base::Bytes bytes = random.bytes(kSerialRandomBytes);
  bytes.insert(bytes.begin(), 1);
  const BigNumber number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  const Integer serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
  if (!serial || X509_set_serialNumber(x509, serial.get()) != 1) {
    return fail(cannot_encode("serial"));
  }
  return {};
}

/// The subject of `certificate` as it stands there: OpenSSL keeps the bytes of a name that it has
/// read, and writes those.
X509Name subject_of(const Certificate& certificate) {
  const base::Bytes& der = certificate.facts().subject_der;
  const unsigned char* next = der.data();
  return X509Name(d2i_X509_NAME(nullptr, &next, static_cast<long>(der.size())));
}

base::Result<X509Name> subject_of(const CaContent& content) {
  if (content.twin == nullptr) return encode(content.wanted.subject);
  return subject_of(*content.twin);
}

base::Status set_names(X509* x509, const CaContent& content) {
  MESHTRUST_TRY(const X509Name subject, subject_of(content));
  const X509Name issuer = content.issuer != nullptr ? subject_of(*content.issuer)
                                                    : X509Name(X509_NAME_dup(subject.get()));
  if (!issuer || X509_set_subject_name(x509, subject.get()) != 1 ||
      X509_set_issuer_name(x509, issuer.get()) != 1) {
    return fail(cannot_encode("names"));
  }
  return {};
}

/// Whole seconds; OpenSSL writes UTCTime to 2049 and GeneralizedTime from 2050 (RFC 5280 4.1.2.5).
Time encoded_time(base::Instant instant) {
  return Time(ASN1_TIME_set(nullptr, instant.time_since_epoch().count()));
}

base::Status set_validity(X509* x509, const CaTemplate& wanted) {
  const Time from = encoded_time(wanted.not_before);
  const Time until = encoded_time(wanted.not_after);
  if (!from || !until || X509_set1_notBefore(x509, from.get()) != 1 ||
      X509_set1_notAfter(x509, until.get()) != 1) {
    return fail(cannot_encode("validity"));
  }
  return {};
}

/// The key is read and written again, so nothing but a public key of a known kind gets in.
base::Status set_public_key(X509* x509, base::ByteView info) {
  const unsigned char* next = info.data();
  const Pkey key(d2i_PUBKEY(nullptr, &next, static_cast<long>(info.size())));
  forget_openssl_errors();
  if (!key || next != info.data() + info.size()) {
    return fail(Code::kInvalidInput, "the public key does not parse");
  }
  MESHTRUST_TRY_DO(usable_algorithm(*key));
  if (X509_set_pubkey(x509, key.get()) != 1) return fail(cannot_encode("public key"));
  return {};
}

template <class Value>
base::Status add_extension(X509* x509, int nid, bool critical, const Value& value) {
  if (!value ||
      X509_add1_ext_i2d(x509, nid, value.get(), critical ? 1 : 0, X509V3_ADD_DEFAULT) != 1) {
    return fail(cannot_encode("extension '" + std::string(OBJ_nid2sn(nid)) + "'"));
  }
  return {};
}

base::Status add_basic_constraints(X509* x509, std::optional<int> path_length) {
  const ConstraintsExtension constraints(BASIC_CONSTRAINTS_new());
  constraints->ca = 0xff;  // written as it stands, and DER knows one true (X.690 11.1)
  if (path_length) {
    constraints->pathlen = ASN1_INTEGER_new();
    ASN1_INTEGER_set_int64(constraints->pathlen, *path_length);
  }
  return add_extension(x509, NID_basic_constraints, true, constraints);
}

base::Status add_key_usage(X509* x509) {
  return add_extension(x509, NID_key_usage, true, usage_of_authority());
}

base::Bytes key_identifier(const X509* x509) {
  return key_identifier_of(content_of(X509_get0_pubkey_bitstr(x509)));
}

/// A root gets no AKI, which RFC 5280 4.2.1.1 allows: it would only repeat the SKI beside it. The
/// form with issuer and serial is never used, as it would tie a child to one of several
/// certificates of the same CA.
base::Status add_key_ids(X509* x509, const Certificate* issuer, const Certificate* twin) {
  base::Bytes own = key_identifier(x509);
  // What is below a cross-certificate names its issuer as the first certificate of that key does.
  if (twin != nullptr && twin->facts().subject_key_id) {
    MESHTRUST_TRY(own, base::from_hex(*twin->facts().subject_key_id));
  }
  MESHTRUST_TRY_DO(add_extension(x509, NID_subject_key_identifier, false, octets(own)));
  if (issuer == nullptr) return {};
  if (!issuer->facts().subject_key_id) {
    return fail(Code::kRefused,
                "issuer '" + issuer->facts().subject +
                    "' has no subject key identifier, which certificates below it must name");
  }
  MESHTRUST_TRY(const base::Bytes id, base::from_hex(*issuer->facts().subject_key_id));
  const AuthorityKeyId above(AUTHORITY_KEYID_new());
  above->keyid = octets(id).release();
  return add_extension(x509, NID_authority_key_identifier, false, above);
}

base::Status sign_worthlessly(X509* x509, KeyAlgorithm signer) {
  MESHTRUST_TRY(const Pkey key, worthless_key(signer));
  if (X509_sign(x509, key.get(), digest_for(signer)) <= 0) {
    return fail(openssl_error(Code::kInternal, "signing a rehearsal"));
  }
  return {};
}

}  // namespace

BitString usage_of_authority() {
  BitString bits(ASN1_BIT_STRING_new());
  ASN1_BIT_STRING_set_bit(bits.get(), kKeyCertSignBit, 1);
  ASN1_BIT_STRING_set_bit(bits.get(), kCrlSignBit, 1);
  return bits;
}

/// As long as the SHA-1 of RFC 5280, so nothing that reads it minds, and it works where SHA-1 is
/// forbidden; Go's own CA code has gone the same way.
base::Bytes key_identifier_of(base::ByteView public_key_bits) {
  base::Bytes digest = base::sha256(public_key_bits);
  digest.resize(kKeyIdBytes);
  return digest;
}

OctetString octets(base::ByteView bytes) {
  OctetString string(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(string.get(), bytes.data(), static_cast<int>(bytes.size()));
  return string;
}

base::Result<Certificate> make_rehearsal(const CaContent& content,
                                         KeyAlgorithm signer_algorithm,
                                         base::Random& random) {
  const X509Handle x509(X509_new());
  if (!x509 || X509_set_version(x509.get(), X509_VERSION_3) != 1) {
    return fail(cannot_encode("version"));
  }
  MESHTRUST_TRY_DO(set_serial(x509.get(), random));
  MESHTRUST_TRY_DO(set_names(x509.get(), content));
  MESHTRUST_TRY_DO(set_validity(x509.get(), content.wanted));
  MESHTRUST_TRY_DO(set_public_key(
      x509.get(), content.twin != nullptr ? public_key_in(*content.twin) : content.public_key));
  MESHTRUST_TRY_DO(add_basic_constraints(x509.get(), content.path_length));
  MESHTRUST_TRY_DO(add_key_usage(x509.get()));
  MESHTRUST_TRY_DO(add_key_ids(x509.get(), content.issuer, content.twin));
  MESHTRUST_TRY_DO(sign_worthlessly(x509.get(), signer_algorithm));
  return Certificate::from_der(to_der(i2d_X509, static_cast<const X509*>(x509.get())));
}

base::Bytes public_key_in(const Certificate& certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(x509_of(certificate));
  if (key == nullptr) return {};
  return to_der(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key));
}

base::ByteView tbs_of(const Certificate& certificate) {
  return signed_part(certificate.der());
}

base::Bytes with_signature(const Certificate& rehearsal, base::ByteView signature) {
  return with_signature(rehearsal.der(), signature);
}

}  // namespace meshtrust::pki
