#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/result.h"
#include "base/secret.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What people have in their hands: how certificates are wrapped when they come out of Windows, of
// YAML, of environment variables and of other tools. The one place that knows it.

namespace meshtrust::pki {

/// What stands between the bytes of a file and the PEM or DER that was meant.
enum class Wrapping {
  kByteOrderMark,    ///< of UTF-8, before the file or before a block inside it
  kUtf16,            ///< with its mark, or without
  kIndented,         ///< blanks before the lines
  kEscapedNewlines,  ///< "\n" as two characters
  kBase64,           ///< of PEM: encoded once too often
  kBareBase64,       ///< of DER: without BEGIN and END lines
};
/// "byte-order-mark", "utf-16", "indented", "escaped-newlines", "base64", "bare-base64".
std::string_view name_of(Wrapping wrapping);
/// For people, behind the name of a file: "begins with ...".
std::string_view describe(Wrapping wrapping);
/// The command that makes a good NEW of a FILE.
std::string_view way_out(Wrapping wrapping);

/// Content as it was meant, and what was taken off, from the outside to the inside.
struct Unwrapped {
  base::Secret content;
  std::vector<Wrapping> wrappings;
};
/// Nothing for content that is read as it stands, or in which there is nothing to be found either
/// way. Taking a wrapping off loses nothing and guesses nothing. Secrets, because a key may be in
/// it.
std::optional<Unwrapped> unwrap(std::string_view content);

/// The certificates and revocation lists in PKCS#7 SignedData (RFC 2315, RFC 5652), as DER; nothing
/// for what is no such thing. Their order says nothing: it is a set.
struct Pkcs7Content {
  std::vector<base::Bytes> certificates;
  std::vector<base::Bytes> lists;
};
std::optional<Pkcs7Content> read_pkcs7(base::ByteView der);

/// kInvalidInput "no certificate found", with what was found instead and the command that mends it
/// where that can be told.
base::Error no_certificate_in(std::string_view content);

/// What a reader of certificates makes of their order.
enum class Order {
  kNone,       ///< it is of no account
  kLeafFirst,  ///< the first is the one in question
};

/// PEM for readers that take the certificates of a text in order: PEM as it is, a certificate in
/// DER and PKCS#7 written as PEM, of PKCS#7 those first that issued none of the others.
/// kInvalidInput for a PKCS#7 set in which not one alone can be first, where that counts; and for a
/// text in which a wrapping hides certificates from Go, BoringSSL or OpenSSL, with the way out:
/// which of them stand there depends on who reads. Anything else is left to the reader.
base::Result<std::string> as_pem(std::string_view content, Order order = Order::kNone);

}  // namespace meshtrust::pki
