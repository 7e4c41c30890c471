#include "pki/inspect.h"

#include "base/text.h"
#include "pki/container.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/key_text.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/pem.h"
#include "pki/pkcs12.h"

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;
using Inspected = decltype(InspectedObject::what);

base::Result<Inspected> read_certificate(base::ByteView der) {
  MESHTRUST_TRY(Certificate certificate, Certificate::from_der(der));
  return Inspected(std::move(certificate));
}

base::Result<Inspected> read_request(base::ByteView der) {
  MESHTRUST_TRY(CertificateRequest request, CertificateRequest::from_der(der));
  return Inspected(std::move(request));
}

base::Result<Inspected> read_revocation_list(base::ByteView der) {
  MESHTRUST_TRY(RevocationList list, RevocationList::from_der(der));
  return Inspected(std::move(list));
}

std::string encoding_of(std::string_view label) {
  if (label == "RSA PRIVATE KEY") return "PKCS#1";
  if (label == "EC PRIVATE KEY") return "SEC1";
  return "PKCS#8";
}

base::Result<Inspected> read_private_key(const PemBlock& block) {
  PrivateKeyFacts facts{.encoding = encoding_of(block.label), .encrypted = true, .key_type = {}};
  if (is_clear_key(block)) {
    MESHTRUST_TRY(const Pkey key, read_clear_key(block));
    facts.encrypted = false;
    facts.key_type = key_type_of(key.get());
  }
  return Inspected(std::move(facts));
}

/// What OpenSSL reads as a certificate beside "CERTIFICATE": its old label, and one with its own
/// notes behind the certificate.
constexpr std::string_view kOldCertificate = "X509 CERTIFICATE";
constexpr std::string_view kTrustedCertificate = "TRUSTED CERTIFICATE";

bool is_pkcs7_label(std::string_view label) {
  return label == "PKCS7" || label == "CMS" || label == "PKCS #7 SIGNED DATA";
}

/// Everything in one block; nothing (no error) for a block of a kind that is not shown.
base::Result<std::vector<Inspected>> read_block(const PemBlock& block) {
  std::vector<Inspected> found;
  const auto take = [&found](base::Result<Inspected> read) -> base::Status {
    if (!read) return fail(std::move(read).error());
    found.push_back(*std::move(read));
    return {};
  };
  if (block.label.ends_with("PRIVATE KEY")) {
    MESHTRUST_TRY_DO(take(read_private_key(block)));
    return found;
  }
  const bool is_request =
      block.label == "CERTIFICATE REQUEST" || block.label == "NEW CERTIFICATE REQUEST";
  const bool is_trusted = block.label == kTrustedCertificate;
  const bool is_certificate =
      block.label == "CERTIFICATE" || block.label == kOldCertificate || is_trusted;
  const bool is_set = is_pkcs7_label(block.label);
  if (!is_request && !is_certificate && !is_set && block.label != "X509 CRL") return found;
  MESHTRUST_TRY(const base::Bytes der, decode(block));
  if (is_set) {
    const auto set = read_pkcs7(der);
    if (!set) return fail(Code::kInvalidInput, "PKCS#7 without certificates that can be read");
    for (const base::Bytes& one : set->certificates) {
      MESHTRUST_TRY_DO(take(read_certificate(one)));
    }
    for (const base::Bytes& one : set->lists) {
      MESHTRUST_TRY_DO(take(read_revocation_list(one)));
    }
  } else if (is_certificate) {
    const auto first = is_trusted ? first_element(der) : std::nullopt;
    MESHTRUST_TRY_DO(take(read_certificate(first ? first->whole : base::ByteView(der))));
  } else {
    MESHTRUST_TRY_DO(take(is_request ? read_request(der) : read_revocation_list(der)));
  }
  return found;
}

/// A block that the mesh's readers take otherwise than this one does.
void remark_on(std::string_view label, const PemBlock& block, bool is_shown, FoundObjects& found) {
  const bool is_foreign = is_pkcs7_label(block.label) || block.label == kOldCertificate ||
                          block.label == kTrustedCertificate;
  if (is_shown && !is_foreign) return;
  std::string what = "'" + base::printable(block.label, 60) + "'";
  if (!is_shown) {
    what += block.label == "EC PARAMETERS"
                ? ": istiod reads the first block of a key file alone, and stops at this one"
                : " is none of the kinds that are shown";
  } else {
    what += ", wanted 'CERTIFICATE': OpenSSL reads it, Go (istiod) does not take it";
  }
  found.remarks.push_back({.source = std::string(label) + ":" + std::to_string(block.line),
                           .code = "foreign-block",
                           .message = what});
}

void read_pem(std::string_view label, const std::vector<PemBlock>& blocks, FoundObjects& found) {
  std::size_t number = 0;
  for (const PemBlock& block : blocks) {
    auto read = read_block(block);
    if (!read) {
      ++number;
      found.errors.push_back(with_context(std::move(read).error(),
                                          std::string(label) + ":" + std::to_string(block.line)));
      continue;
    }
    remark_on(label, block, !read->empty(), found);
    for (Inspected& one : *read) {
      const std::string mark = ++number == 1 ? "" : "#" + std::to_string(number);
      found.objects.push_back({std::string(label) + mark, std::move(one)});
    }
  }
}

/// An EncryptedPrivateKeyInfo has the shape of other things too (a DigestInfo), so its algorithm
/// must be one that encrypts by passphrase.
bool is_encrypted_key(base::ByteView der) {
  const unsigned char* next = der.data();
  const Encrypted encrypted(d2i_X509_SIG(nullptr, &next, static_cast<long>(der.size())));
  forget_openssl_errors();
  if (!encrypted) return false;
  const X509_ALGOR* algorithm = nullptr;
  const ASN1_OBJECT* object = nullptr;
  X509_SIG_get0(encrypted.get(), &algorithm, nullptr);
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return EVP_PBE_find(EVP_PBE_TYPE_OUTER, OBJ_obj2nid(object), nullptr, nullptr, nullptr) == 1;
}

/// The kinds are tried one after the other. None of them is a prefix or a part of another, so the
/// order matters for speed only.
std::optional<Inspected> read_der(base::ByteView der) {
  const auto outer = first_element(der);
  if (!outer || outer->tag != V_ASN1_SEQUENCE || outer->whole.size() != der.size()) {
    return std::nullopt;
  }
  for (const auto& read : {read_certificate, read_request, read_revocation_list}) {
    if (auto found = read(der)) return *std::move(found);
  }
  if (const ClearKey clear = clear_key_from_der(der); clear.key) {
    return PrivateKeyFacts{.encoding = encoding_of(clear.label),
                           .encrypted = false,
                           .key_type = key_type_of(clear.key.get())};
  }
  if (!is_encrypted_key(der)) return std::nullopt;
  return PrivateKeyFacts{.encoding = "PKCS#8", .encrypted = true, .key_type = {}};
}

}  // namespace

base::Result<base::Secret> ask_nobody(std::string_view label) {
  return fail(Code::kUsage, std::string(label) + " needs a passphrase");
}

FoundObjects find_all_objects(std::string_view label,
                              const base::Secret& content,
                              const AskPassphrase& ask,
                              const base::Cancellation* cancellation) {
  FoundObjects found;
  std::string_view text = base::reveal(content, "inspection: kind and size of keys alone");
  const auto unwrapped = unwrap(text);
  if (unwrapped) {
    for (const Wrapping one : unwrapped->wrappings) {
      found.remarks.push_back({.source = std::string(label),
                               .code = std::string(name_of(one)),
                               .message = std::string(describe(one)),
                               .way_out = std::string(way_out(one))});
    }
    text = base::reveal(unwrapped->content, "inspection: kind and size of keys alone");
  }
  const base::ByteView bytes = base::as_bytes(text);
  if (is_pkcs12(bytes)) {
    if (auto opened = open_pkcs12(label, bytes, ask, cancellation)) {
      found.objects = *std::move(opened);
    } else {
      found.errors.push_back(std::move(opened).error());
    }
    return found;
  }
  PemText pem = scan_pem(text);
  for (base::Error& error : pem.errors) {
    found.errors.push_back(with_context(std::move(error), label));
  }
  read_pem(label, pem.blocks, found);
  if (!pem.blocks.empty() || !pem.errors.empty()) return found;
  if (read_pkcs7(bytes)) {
    const std::string as_block = to_pem("PKCS7", bytes);
    read_pem(label, scan_pem(as_block).blocks, found);
    for (Remark& remark : found.remarks) {
      if (remark.code != "foreign-block") continue;
      remark = {.source = std::string(label),
                .code = "pkcs7",
                .message = "is PKCS#7 (.p7b), which istiod does not read",
                .way_out = "openssl pkcs7 -inform DER -print_certs -in FILE -out NEW"};
    }
  } else if (auto read = read_der(bytes)) {
    found.objects.push_back({std::string(label), *std::move(read)});
  } else if (found.objects.empty()) {
    found.remarks.clear();  // nothing was found either way
  }
  return found;
}

base::Result<std::vector<InspectedObject>> find_objects(std::string_view label,
                                                        const base::Secret& content,
                                                        const AskPassphrase& ask) {
  FoundObjects found = find_all_objects(label, content, ask);
  if (!found.errors.empty()) return fail(std::move(found.errors.front()));
  return std::move(found.objects);
}

base::Result<std::vector<InspectedObject>> inspect(std::string_view label,
                                                   const base::Secret& content,
                                                   const AskPassphrase& ask) {
  auto objects = find_objects(label, content, ask);
  if (objects && objects->empty()) {
    return fail(Code::kInvalidInput,
                std::string(label) +
                    ": found no certificate, private key, certificate request or revocation list");
  }
  return objects;
}

}  // namespace meshtrust::pki
