#include "pki/pkcs12.h"

#include "base/abandonable.h"
#include "pki/der.h"
#include "pki/derivation_cost.h"
#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <array>
#include <memory>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Secret;
using base::Status;

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
using Part = Handle<PKCS7, PKCS7_free>;

File parse(base::ByteView der) {
  const unsigned char* next = der.data();
  File file(d2i_PKCS12(nullptr, &next, static_cast<long>(der.size())));
  forget_openssl_errors();
  return next == der.data() + der.size() ? std::move(file) : nullptr;
}

/// The passphrase of a file as OpenSSL wants it. None at all is not the same as an empty one to the
/// key derivation of PKCS#12.
class Words {
 public:
  static Words none() { return Words(nullptr); }
  static Words empty() { return Words(std::make_shared<const Secret>()); }
  static Words of(Secret secret) {
    return Words(std::make_shared<const Secret>(std::move(secret)));
  }

  const char* data() const {
    if (secret_ == nullptr) return nullptr;
    return secret_->empty() ? "" : base::reveal(*secret_, "OpenSSL, to open a PKCS#12 file").data();
  }
  int size() const { return secret_ == nullptr ? 0 : static_cast<int>(secret_->size()); }

 private:
  explicit Words(std::shared_ptr<const Secret> secret) : secret_(std::move(secret)) {}
  std::shared_ptr<const Secret> secret_;  // shared with a derivation that may be given up
};

/// One file, its passphrase once that is known, and what was found so far.
class Reader {
 public:
  Reader(std::string_view label,
         std::shared_ptr<PKCS12> file,
         const AskPassphrase& ask,
         const base::Cancellation* cancellation)
      : label_(label), file_(std::move(file)), ask_(ask), cancellation_(cancellation) {}

  /// Every error names the file, and once.
  Result<std::vector<InspectedObject>> read() {
    auto found = read_all();
    if (found || names_file_) return found;
    return fail(with_context(std::move(found).error(), label_));
  }

 private:
  Result<std::vector<InspectedObject>> read_all() {
    const Safes safes(PKCS12_unpack_authsafes(file_.get()));
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

  Result<bool> mac_holds(const Words& words) const {
    return base::run_abandonably<bool>(cancellation_, [file = file_, words]() -> Result<bool> {
      const bool holds = PKCS12_verify_mac(file.get(), words.data(), words.size()) == 1;
      forget_openssl_errors();
      return holds;
    });
  }

  Status ask() {
    auto answer = ask_(label_);
    names_file_ = !answer;
    if (!answer) return fail(std::move(answer).error());
    words_ = Words::of(*std::move(answer));
    was_asked_ = true;
    return {};
  }

  Status check_mac() {
    has_mac_ = PKCS12_mac_present(file_.get()) == 1;
    if (!has_mac_) return {};
    const ASN1_OCTET_STRING* salt = nullptr;
    const ASN1_INTEGER* rounds = nullptr;
    PKCS12_get0_mac(nullptr, nullptr, &salt, &rounds, file_.get());
    for (const Words& nothing : {Words::none(), Words::empty()}) {
      words_ = nothing;
      MESHTRUST_TRY_DO(budget_.take_checksum(rounds, salt));
      MESHTRUST_TRY(const bool holds, mac_holds(words_));
      if (holds) return {};
    }
    MESHTRUST_TRY_DO(ask());
    MESHTRUST_TRY_DO(budget_.take_checksum(rounds, salt));
    MESHTRUST_TRY(const bool holds, mac_holds(words_));
    if (holds) return {};
    return fail(Code::kInvalidInput, "wrong passphrase",
                "or a byte of the file was changed: its checksum does not tell which");
  }

  /// Why something did not decrypt, though it has the right shape.
  static base::Error cannot_open(std::string_view what, bool has_mac) {
    if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED) {
      forget_openssl_errors();
      return {.code = Code::kInvalidInput,
              .message = std::string(what) +
                         " of the PKCS#12 file is encrypted with a cipher that is given up (RC2)",
              .hints = {"convert it: openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 "
                        "-export -out NEW"}};
    }
    if (has_mac) return damaged(std::string(what) + " does not open");
    return base::with_hint(openssl_error(Code::kInvalidInput,
                                         std::string(what) + " of the PKCS#12 file does not open"),
                           "the file has no checksum, so a wrong passphrase looks like damage");
  }

  /// Without a checksum nobody has asked for the passphrase yet.
  Status be_ready_to_decrypt(const X509_ALGOR* algorithm) {
    MESHTRUST_TRY_DO(budget_.take(algorithm));
    return has_mac_ || was_asked_ ? Status() : ask();
  }

  Status read_safe(PKCS7* safe) {
    Bags bags;
    if (PKCS7_type_is_data(safe)) {
      bags.reset(PKCS12_unpack_p7data(safe));
      if (!bags) return fail(damaged("a part of it does not parse"));
    } else if (PKCS7_type_is_encrypted(safe)) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): OpenSSL's form, type looked at
      MESHTRUST_TRY_DO(be_ready_to_decrypt(safe->d.encrypted->enc_data->algorithm));
      MESHTRUST_TRY(bags, decrypt_part(*safe));
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
    MESHTRUST_TRY(const Pkcs8 info, decrypt_key(*PKCS12_SAFEBAG_get0_pkcs8(bag)));
    return add_key(info.get(), true);
  }

  // Both decrypt a copy of their own, because they may be given up while they compute.

  Result<Bags> decrypt_part(const PKCS7& part) const {
    const std::shared_ptr<PKCS7> own = Part(PKCS7_dup(&part));
    return base::run_abandonably<Bags>(
        cancellation_, [own, words = words_, has_mac = has_mac_]() -> Result<Bags> {
          Bags bags(own ? PKCS12_unpack_p7encdata(own.get(), words.data(), words.size()) : nullptr);
          if (!bags) return fail(cannot_open("a part", has_mac));
          return bags;
        });
  }

  Result<Pkcs8> decrypt_key(const X509_SIG& key) const {
    const std::shared_ptr<X509_SIG> own =
        Encrypted(static_cast<X509_SIG*>(ASN1_item_dup(ASN1_ITEM_rptr(X509_SIG), &key)));
    return base::run_abandonably<Pkcs8>(
        cancellation_, [own, words = words_, has_mac = has_mac_]() -> Result<Pkcs8> {
          Pkcs8 info(own ? PKCS8_decrypt(own.get(), words.data(), words.size()) : nullptr);
          if (!info) return fail(cannot_open("a key", has_mac));
          return info;
        });
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
  std::shared_ptr<PKCS12> file_;
  const AskPassphrase& ask_;
  const base::Cancellation* cancellation_;
  Words words_ = Words::none();
  bool was_asked_ = false;
  DerivationBudget budget_;
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
                                                 const AskPassphrase& ask,
                                                 const base::Cancellation* cancellation) {
  File file = parse(der);
  if (!file) {
    return fail(Code::kInvalidInput,
                std::string(label) +
                    ": the PKCS#12 file is damaged: it is cut off, or its structure is broken");
  }
  auto read = Reader(label, std::move(file), ask, cancellation).read();
  forget_openssl_errors();
  return read;
}

}  // namespace meshtrust::pki
