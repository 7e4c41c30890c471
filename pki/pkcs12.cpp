#include "pki/pkcs12.h"

#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <array>
#include <optional>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Secret;
using base::Status;

/// More rounds than any tool's whole file asks for; 2^31 would keep us busy for an hour.
constexpr std::int64_t kMostRounds = 4'000'000;
constexpr int kDeepest = 8;

inline void free_authsafes(STACK_OF(PKCS7) * safes) {
  sk_PKCS7_pop_free(safes, PKCS7_free);
}
inline void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags) {
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}
using File = Handle<PKCS12, PKCS12_free>;
using Safes = Handle<STACK_OF(PKCS7), free_authsafes>;
using Bags = Handle<STACK_OF(PKCS12_SAFEBAG), free_bags>;
using OldParameters = Handle<PBEPARAM, PBEPARAM_free>;
using NewParameters = Handle<PBKDF2PARAM, PBKDF2PARAM_free>;

File parse(base::ByteView der) {
  const unsigned char* next = der.data();
  File file(d2i_PKCS12(nullptr, &next, static_cast<long>(der.size())));
  forget_openssl_errors();
  return next == der.data() + der.size() ? std::move(file) : nullptr;
}

template <class Owner>
Owner unpack_parameters(const X509_ALGOR* algorithm, const ASN1_ITEM* item) {
  const void* value = nullptr;
  int type = 0;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return nullptr;
  return Owner(static_cast<typename Owner::pointer>(
      ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), item)));
}

/// How often the key derivation of `algorithm` hashes; 0 where it says so in no way known here.
std::int64_t rounds_of(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  const ASN1_INTEGER* rounds = nullptr;
  Pbe2Parameters pbes2;
  NewParameters pbkdf2;
  OldParameters old;
  if (OBJ_obj2nid(object) == NID_pbes2) {
    pbes2 = unpack_parameters<Pbe2Parameters>(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    if (!pbes2 || OBJ_obj2nid(pbes2->keyfunc->algorithm) != NID_id_pbkdf2) return 0;
    pbkdf2 = unpack_parameters<NewParameters>(pbes2->keyfunc, ASN1_ITEM_rptr(PBKDF2PARAM));
    if (pbkdf2) rounds = pbkdf2->iter;
  } else {
    old = unpack_parameters<OldParameters>(algorithm, ASN1_ITEM_rptr(PBEPARAM));
    if (old) rounds = old->iter;
  }
  std::int64_t count = 0;
  if (rounds != nullptr && ASN1_INTEGER_get_int64(&count, rounds) != 1) count = kMostRounds + 1;
  return count;
}

/// One file, its passphrase once that is known, and what was found so far.
class Reader {
 public:
  Reader(std::string_view label, const PKCS12& file, const AskPassphrase& ask)
      : label_(label), file_(file), ask_(ask) {}

  /// Every error names the file, and once.
  Result<std::vector<InspectedObject>> read() {
    auto found = read_all();
    if (found || names_file_) return found;
    return fail(with_context(std::move(found).error(), label_));
  }

 private:
  Result<std::vector<InspectedObject>> read_all() {
    const Safes safes(PKCS12_unpack_authsafes(&file_));
    if (!safes) return fail(damaged("its content does not parse"));
    MESHTRUST_TRY_DO(check_mac());
    for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
      MESHTRUST_TRY_DO(read_safe(sk_PKCS7_value(safes.get(), i)));
    }
    return std::move(objects_);
  }

  static base::Error damaged(std::string_view what) {
    return openssl_error(Code::kInvalidInput, "the PKCS#12 file is damaged: " + std::string(what));
  }

  /// The passphrase as OpenSSL wants it: null for none at all, which is not the same as an empty
  /// one to the key derivation of PKCS#12.
  const char* words() const {
    if (is_absent_) return nullptr;
    return passphrase_ ? base::reveal(*passphrase_, "OpenSSL, to open a PKCS#12 file").data() : "";
  }
  int length() const { return passphrase_ ? static_cast<int>(passphrase_->size()) : 0; }

  bool mac_holds() const {
    const bool holds = PKCS12_verify_mac(const_cast<PKCS12*>(&file_),  // NOLINT: OpenSSL's type
                                         words(), length()) == 1;
    forget_openssl_errors();
    return holds;
  }

  /// All derivations of one file together are bounded.
  Status take_rounds(std::int64_t rounds) {
    rounds_ += std::min(rounds, kMostRounds + 1);
    if (rounds_ <= kMostRounds) return {};
    return fail(Code::kInvalidInput, "asks for more than 4 million rounds of key derivation");
  }

  Status ask() {
    auto answer = ask_(label_);
    names_file_ = !answer;
    MESHTRUST_TRY(passphrase_, std::move(answer));
    is_absent_ = false;
    return {};
  }

  Status check_mac() {
    has_mac_ = PKCS12_mac_present(&file_) == 1;
    if (!has_mac_) return {};
    const ASN1_INTEGER* rounds = nullptr;
    PKCS12_get0_mac(nullptr, nullptr, nullptr, &rounds, &file_);
    std::int64_t count = 1;
    if (rounds != nullptr && ASN1_INTEGER_get_int64(&count, rounds) != 1) count = kMostRounds + 1;
    for (const bool absent : {true, false}) {
      is_absent_ = absent;
      MESHTRUST_TRY_DO(take_rounds(count));
      if (mac_holds()) return {};
    }
    MESHTRUST_TRY_DO(ask());
    MESHTRUST_TRY_DO(take_rounds(count));
    if (mac_holds()) return {};
    return fail(Code::kInvalidInput, "wrong passphrase",
                "or a byte of the file was changed: its checksum does not tell which");
  }

  /// Why something did not decrypt, though it has the right shape.
  base::Error cannot_open(std::string_view what) const {
    if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED) {
      forget_openssl_errors();
      return {.code = Code::kInvalidInput,
              .message = std::string(what) +
                         " of the PKCS#12 file is encrypted with a cipher that is given up (RC2)",
              .hints = {"convert it: openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 "
                        "-export -out NEW"}};
    }
    if (has_mac_) return damaged(std::string(what) + " does not open");
    return base::with_hint(openssl_error(Code::kInvalidInput,
                                         std::string(what) + " of the PKCS#12 file does not open"),
                           "the file has no checksum, so a wrong passphrase looks like damage");
  }

  /// Without a checksum nobody has asked for the passphrase yet.
  Status be_ready_to_decrypt(const X509_ALGOR* algorithm) {
    MESHTRUST_TRY_DO(take_rounds(rounds_of(algorithm)));
    return has_mac_ || passphrase_ ? Status() : ask();
  }

  Status read_safe(PKCS7* safe) {
    Bags bags;
    if (PKCS7_type_is_data(safe)) {
      bags.reset(PKCS12_unpack_p7data(safe));
      if (!bags) return fail(damaged("a part of it does not parse"));
    } else if (PKCS7_type_is_encrypted(safe)) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): OpenSSL's form, type looked at
      MESHTRUST_TRY_DO(be_ready_to_decrypt(safe->d.encrypted->enc_data->algorithm));
      bags.reset(PKCS12_unpack_p7encdata(safe, words(), length()));
      if (!bags) return fail(cannot_open("a part"));
    }
    return bags ? read_bags(bags.get(), 0) : Status();
  }

  Status read_bags(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
    if (depth > kDeepest) return fail(damaged("it is nested too deep"));
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
      MESHTRUST_TRY_DO(read_bag(sk_PKCS12_SAFEBAG_value(bags, i), depth));
    }
    return {};
  }

  Status read_bag(const PKCS12_SAFEBAG* bag, int depth) {
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
      case NID_keyBag:
        return add_key(PKCS12_SAFEBAG_get0_p8inf(bag), false);
      case NID_pkcs8ShroudedKeyBag:
        return read_shrouded_key(bag);
      case NID_certBag:
        return read_certificate(bag);
      case NID_crlBag:
        return read_list(bag);
      case NID_safeContentsBag:
        return read_bags(PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
      default:
        return {};  // secrets and what else a tool may keep there
    }
  }

  Status read_shrouded_key(const PKCS12_SAFEBAG* bag) {
    const X509_ALGOR* algorithm = nullptr;
    X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, nullptr);
    MESHTRUST_TRY_DO(be_ready_to_decrypt(algorithm));
    const Pkcs8 info(PKCS12_decrypt_skey(bag, words(), length()));
    if (!info) return fail(cannot_open("a key"));
    return add_key(info.get(), true);
  }

  Status add_key(const PKCS8_PRIV_KEY_INFO* info, bool encrypted) {
    const Pkey key(info == nullptr ? nullptr : EVP_PKCS82PKEY(info));
    if (!key) return fail(damaged("a key in it does not parse"));
    add(PrivateKeyFacts{
        .encoding = "PKCS#12", .encrypted = encrypted, .key_type = key_type_of(key.get())});
    return {};
  }

  Status read_certificate(const PKCS12_SAFEBAG* bag) {
    const X509Handle x509(PKCS12_SAFEBAG_get1_cert(bag));
    if (!x509) return fail(damaged("a certificate in it does not parse"));
    MESHTRUST_TRY(Certificate certificate, Certificate::from_der(to_der(i2d_X509, x509.get())));
    add(std::move(certificate));
    return {};
  }

  Status read_list(const PKCS12_SAFEBAG* bag) {
    const RevocationListHandle crl(PKCS12_SAFEBAG_get1_crl(bag));
    if (!crl) return fail(damaged("a revocation list in it does not parse"));
    MESHTRUST_TRY(RevocationList list, RevocationList::from_der(to_der(i2d_X509_CRL, crl.get())));
    add(std::move(list));
    return {};
  }

  template <class What>
  void add(What what) {
    const std::string number = "#" + std::to_string(objects_.size() + 1);
    objects_.push_back({std::string(label_) + (objects_.empty() ? "" : number), std::move(what)});
  }

  std::string_view label_;
  const PKCS12& file_;
  const AskPassphrase& ask_;
  std::optional<Secret> passphrase_;
  bool is_absent_ = true;
  std::int64_t rounds_ = 0;
  bool names_file_ = false;
  bool has_mac_ = false;
  std::vector<InspectedObject> objects_;
};

}  // namespace

bool is_pkcs12(base::ByteView der) {
  if (parse(der) != nullptr) return true;
  // A sequence that begins with version 3 and another sequence is nothing else that is read here,
  // whether or not all of it is there.
  constexpr std::uint8_t kSequence = 0x30;
  constexpr std::array<std::uint8_t, 4> kBeginning{0x02, 0x01, 0x03, kSequence};
  if (der.size() < 2 || der[0] != kSequence) return false;
  constexpr std::uint8_t kLongForm = 0x80;
  const std::size_t more = der[1] < kLongForm ? 0 : der[1] - kLongForm;
  const std::size_t header = 2 + more;
  return more <= sizeof(std::uint32_t) && der.size() >= header + kBeginning.size() &&
         std::equal(kBeginning.begin(), kBeginning.end(),
                    der.begin() + static_cast<std::ptrdiff_t>(header));
}

Result<std::vector<InspectedObject>> open_pkcs12(std::string_view label,
                                                 base::ByteView der,
                                                 const AskPassphrase& ask) {
  const File file = parse(der);
  if (!file) {
    return fail(Code::kInvalidInput,
                std::string(label) +
                    ": the PKCS#12 file is damaged: it is cut off, or its structure is broken");
  }
  auto read = Reader(label, *file, ask).read();
  forget_openssl_errors();
  return read;
}

}  // namespace meshtrust::pki
