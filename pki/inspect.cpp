#include "pki/inspect.h"

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

/// Nothing (no error) for a block of a kind that is not shown.
base::Result<std::optional<Inspected>> read_block(const PemBlock& block) {
  const auto as_optional =
      [](base::Result<Inspected> read) -> base::Result<std::optional<Inspected>> {
    if (!read) return fail(std::move(read).error());
    return std::optional<Inspected>(*std::move(read));
  };
  if (block.label.ends_with("PRIVATE KEY")) return as_optional(read_private_key(block));

  const bool is_request =
      block.label == "CERTIFICATE REQUEST" || block.label == "NEW CERTIFICATE REQUEST";
  const bool is_certificate = block.label == "CERTIFICATE";
  if (!is_request && !is_certificate && block.label != "X509 CRL") {
    return std::optional<Inspected>();
  }
  MESHTRUST_TRY(const base::Bytes der, decode(block));
  if (is_certificate) return as_optional(read_certificate(der));
  return as_optional(is_request ? read_request(der) : read_revocation_list(der));
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
    if (!read->has_value()) continue;
    const std::string mark = ++number == 1 ? "" : "#" + std::to_string(number);
    found.objects.push_back({std::string(label) + mark, **std::move(read)});
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
  const std::string_view text = base::reveal(content, "inspection: kind and size of keys alone");
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
  if (auto read = read_der(bytes)) found.objects.push_back({std::string(label), *std::move(read)});
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
