#pragma once

#include "base/cancellation.h"
#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"
#include "pki/certificate.h"
#include "pki/request.h"
#include "pki/revocation_list.h"

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace meshtrust::pki {

/// What may be said of a private key: nothing that could help to guess it, and nothing derived
/// from it.
struct PrivateKeyFacts {
  std::string encoding;    ///< "PKCS#8", "PKCS#1", "SEC1", "PKCS#12"
  bool encrypted = false;  ///< as it lies in the file
  std::string key_type;    ///< "rsa-3072", "ecdsa-p256", ...; empty when it was not opened
};

/// One thing that was recognised.
struct InspectedObject {
  std::string source;  ///< the label of the file, and "#2" behind it for its second object
  std::variant<Certificate, PrivateKeyFacts, CertificateRequest, RevocationList> what;
};

/// "Certificate", "PrivateKey", "CertificateRequest", "CertificateRevocationList".
std::string_view kind_of(const InspectedObject& object);

/// Everything about it as JSON: `kind`, `source` and the facts by their camelCase names; times are
/// RFC 3339. Absent facts are left out, empty lists as well.
base::Json to_json(const InspectedObject& object);

/// Gives the passphrase of the thing called `label`, or an error that names it. Called only when
/// something is met that tells nothing without one (PKCS#12), never for a key in PEM.
using AskPassphrase = std::function<base::Result<base::Secret>(std::string_view label)>;

/// The answer where nobody can be asked: kUsage.
base::Result<base::Secret> ask_nobody(std::string_view label);

/// What has to be said of a file though something was found in it: others read it otherwise.
struct Remark {
  std::string source;
  std::string code;  ///< `name_of` a `Wrapping`, "pkcs7", or "foreign-block"
  std::string message;
  std::string way_out = {};  ///< a command, where there is one
};

/// What was found, and why the rest could not be read.
struct FoundObjects {
  std::vector<InspectedObject> objects;
  base::Errors errors;
  std::vector<Remark> remarks = {};
};

/// Certificates, private keys, requests and revocation lists in `content`: several as PEM, or one
/// as DER, or what a PKCS#12 or PKCS#7 file holds, wrapped as people have them (`pki/container.h`).
/// It is a secret because it may hold a key. PEM blocks of other kinds are skipped with a remark,
/// and one is made of everything that other readers take otherwise; content that holds nothing of
/// the kind gives an empty list. Each PEM block that is recognised and does not parse gives an
/// error (kInvalidInput) that names `label` and the block, and no other block is the worse for it.
/// Opening what a passphrase protects ends with `cancellation` (kCancelled).
FoundObjects find_all_objects(std::string_view label,
                              const base::Secret& content,
                              const AskPassphrase& ask = ask_nobody,
                              const base::Cancellation* cancellation = nullptr);

/// The same with the first error for all.
base::Result<std::vector<InspectedObject>> find_objects(std::string_view label,
                                                        const base::Secret& content,
                                                        const AskPassphrase& ask = ask_nobody);

/// The same, with kInvalidInput for content that holds nothing.
base::Result<std::vector<InspectedObject>> inspect(std::string_view label,
                                                   const base::Secret& content,
                                                   const AskPassphrase& ask = ask_nobody);

}  // namespace meshtrust::pki
