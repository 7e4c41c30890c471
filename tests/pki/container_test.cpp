#include "pki/container.h"

#include "base/encoding.h"
#include "pki/inspect.h"
#include "pki/pem.h"
#include "tests/pki/forge.h"

#include <gmock/gmock.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include <algorithm>

namespace meshtrust::pki {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A root, a CA below it and a leaf, as every tool would write them.
struct Scene {
  testing::Identity root = testing::forge_root();
  testing::Identity east = testing::forge(testing::intermediate_forgery(), root);
  testing::Identity leaf = testing::forge(testing::leaf_forgery(), east);
  std::string pem = root.certificate.pem();
};

std::string with_marks(const std::string& text) {
  return "\xEF\xBB\xBF" + text;
}

std::string as_utf16(std::string_view text, bool has_mark) {
  std::string wide = has_mark ? "\xFF\xFE" : "";
  for (const char one : text) {
    wide += one;
    wide += '\0';
  }
  return wide;
}

std::string indented(const std::string& text) {
  std::string out = "|\n";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    out += "  " + text.substr(at, end + 1 - at);
    at = end + 1;
  }
  return out;
}

std::string escaped(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\\n");
  }
  return text;
}

/// SignedData that signs nothing, as CAs hand out chains (RFC 2315 9.1).
base::Bytes pkcs7_of(const std::vector<Certificate>& certificates) {
  PKCS7* set = PKCS7_new();
  PKCS7_set_type(set, NID_pkcs7_signed);
  PKCS7_content_new(set, NID_pkcs7_data);
  for (const Certificate& one : certificates) {
    const unsigned char* next = one.der().data();
    X509* x509 = d2i_X509(nullptr, &next, static_cast<long>(one.der().size()));
    PKCS7_add_certificate(set, x509);
    X509_free(x509);
  }
  base::Bytes der(static_cast<std::size_t>(i2d_PKCS7(set, nullptr)));
  unsigned char* out = der.data();
  i2d_PKCS7(set, &out);
  PKCS7_free(set);
  return der;
}

struct WrappedCase {
  std::string content;
  std::vector<std::string> wrappings;
};

TEST(Container, TakesOffWhatPeopleWrapCertificatesIn) {
  const Scene scene;
  const std::string& pem = scene.pem;
  const std::string der(base::as_text(scene.root.certificate.der()));
  const std::string encoded = base::to_base64(base::as_bytes(pem));
  for (const WrappedCase& one :
       {WrappedCase{with_marks(pem), {"byte-order-mark"}},
        WrappedCase{pem + with_marks(pem), {"byte-order-mark"}},
        WrappedCase{as_utf16(pem, true), {"utf-16"}}, WrappedCase{as_utf16(pem, false), {"utf-16"}},
        WrappedCase{indented(pem), {"indented"}}, WrappedCase{escaped(pem), {"escaped-newlines"}},
        WrappedCase{"cert: \"" + escaped(pem) + "\"\n", {"escaped-newlines"}},
        WrappedCase{encoded, {"base64"}}, WrappedCase{encoded + "\n", {"base64"}},
        WrappedCase{base::to_base64(base::as_bytes(indented(pem))), {"base64", "indented"}},
        WrappedCase{base::to_base64(base::as_bytes(der)), {"bare-base64"}}}) {
    const auto found = unwrap(one.content);
    ASSERT_TRUE(found);
    std::vector<std::string> wrappings;
    for (const Wrapping wrapping : found->wrappings) {
      wrappings.emplace_back(name_of(wrapping));
    }
    EXPECT_EQ(wrappings, one.wrappings);
    const auto inside = find_objects("f", base::Secret(one.content));
    ASSERT_TRUE(inside) << one.wrappings.front();
    EXPECT_EQ(std::get<Certificate>(inside->back().what), scene.root.certificate);
  }
}

TEST(Container, LeavesAloneWhatIsReadAsItStands) {
  const Scene scene;
  const std::string der(base::as_text(scene.root.certificate.der()));
  for (const std::string& content : {scene.pem, "text\r\n" + scene.pem, der, std::string("hello"),
                                     std::string(), std::string(200, 'A'), std::string(64, '\0')}) {
    EXPECT_FALSE(unwrap(content)) << content.substr(0, 20);
  }
}

struct NoneCase {
  std::string content;
  std::string message;
  std::vector<std::string> hints;
};

TEST(Container, SaysWhatContentWithoutACertificateIsAndWhatMendsIt) {
  const Scene scene;
  const base::Bytes set = pkcs7_of({scene.root.certificate});
  const std::string none = "no certificate found";
  for (const NoneCase& one :
       {NoneCase{"", none + ": the file is empty", {}}, NoneCase{"hello", none, {}},
        NoneCase{with_marks(scene.pem),
                 none +
                     ": the file has a UTF-8 byte order mark before a block: Go and BoringSSL do "
                     "not see that block",
                 {"mend it: sed 's/\\xEF\\xBB\\xBF//' FILE > NEW"}},
        NoneCase{as_utf16(scene.pem, true),
                 none + ": the file is UTF-16, as PowerShell writes text",
                 {"mend it: iconv -f UTF-16 -t ASCII FILE > NEW"}},
        NoneCase{std::string(base::as_text(scene.root.certificate.der())),
                 none + ": the file is a certificate in DER, wanted PEM",
                 {"mend it: openssl x509 -inform DER -in FILE -out NEW"}},
        NoneCase{std::string(base::as_text(set)),
                 none + ": the file is PKCS#7 in DER (.p7b)",
                 {"mend it: openssl pkcs7 -inform DER -print_certs -in FILE -out NEW"}},
        NoneCase{to_pem("PKCS7", set),
                 none + ", but 'PKCS7'",
                 {"mend it: openssl pkcs7 -print_certs -in FILE -out NEW"}},
        NoneCase{to_pem("TRUSTED CERTIFICATE", scene.root.certificate.der()),
                 none + ", but 'TRUSTED CERTIFICATE'",
                 {"mend it: openssl x509 -in FILE -out NEW"}},
        NoneCase{to_pem("EC PARAMETERS", set) + to_pem("PRIVATE KEY", set),
                 none + ", but 'EC PARAMETERS', 'PRIVATE KEY'",
                 {}},
        NoneCase{"x: " + scene.pem,
                 none + ": the '-----BEGIN CERTIFICATE-----' of line 1 is not seen: it does not "
                        "begin its line",
                 {}}}) {
    const base::Error error = no_certificate_in(one.content);
    EXPECT_EQ(error.message, one.message);
    EXPECT_EQ(error.hints, one.hints) << one.message;
  }
}

TEST(Container, SaysThatASetDoesNotTellWhichCertificateIsMeant) {
  const Scene scene;
  const Certificate other = testing::forge_root().certificate;
  const Certificate& leaf = scene.leaf.certificate;
  for (const auto& set : {pkcs7_of({other, leaf}), pkcs7_of({leaf, other})}) {
    const auto pem = as_pem(base::as_text(set), Order::kLeafFirst);
    ASSERT_FALSE(pem);
    EXPECT_EQ(pem.error().message,
              "is a PKCS#7 set with 2 certificates that issued none of the others, and nothing in "
              "it says which one is meant");
    EXPECT_TRUE(as_pem(base::as_text(set)));
  }
}

TEST(Container, WritesDerAndPkcs7AsPemWithTheLeafFirst) {
  const Scene scene;
  const Certificate& leaf = scene.leaf.certificate;
  EXPECT_EQ(as_pem(scene.pem).value(), scene.pem);
  EXPECT_EQ(as_pem(base::as_text(leaf.der())).value(), leaf.pem());
  const base::Bytes set = pkcs7_of({scene.root.certificate, scene.east.certificate, leaf});
  for (const std::string& content : {std::string(base::as_text(set)), to_pem("PKCS7", set)}) {
    const auto pem = as_pem(content, Order::kLeafFirst);
    ASSERT_TRUE(pem);
    const auto certificates = certificates_from_pem(*pem).value();
    ASSERT_EQ(certificates.size(), 3U);
    EXPECT_EQ(certificates.front(), leaf);
  }
  const auto hidden = as_pem(with_marks(leaf.pem() + scene.pem));
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().message,
            "the file has a UTF-8 byte order mark before a block: Go and BoringSSL do not see that "
            "block");
}

std::vector<std::string> remarks_on(const std::string& content) {
  std::vector<std::string> found;
  for (const Remark& one : find_all_objects("f", base::Secret(content)).remarks) {
    found.push_back(one.source + " " + one.code + ": " + one.message);
  }
  return found;
}

TEST(Inspect, RemarksOnWhatOtherReadersTakeOtherwise) {
  const Scene scene;
  const base::Bytes set = pkcs7_of({scene.root.certificate, scene.east.certificate});
  EXPECT_THAT(remarks_on(scene.pem), IsEmpty());
  EXPECT_THAT(remarks_on("hello"), IsEmpty());
  EXPECT_THAT(remarks_on(as_utf16(scene.pem, true)),
              ElementsAre("f utf-16: is UTF-16, as PowerShell writes text"));
  EXPECT_THAT(remarks_on(std::string(base::as_text(set))),
              ElementsAre("f pkcs7: is PKCS#7 (.p7b), which istiod does not read"));
  EXPECT_THAT(remarks_on(to_pem("X509 CERTIFICATE", scene.root.certificate.der())),
              ElementsAre("f:1 foreign-block: 'X509 CERTIFICATE', wanted 'CERTIFICATE': OpenSSL "
                          "reads it, Go (istiod) does not take it"));
  EXPECT_THAT(
      remarks_on(testing::fixture("keys/p256-parameters-first.pem")),
      ElementsAre("f:1 foreign-block: 'EC PARAMETERS': istiod reads the first block of a key "
                  "file alone, and stops at this one"));
  EXPECT_EQ(find_objects("f", base::Secret(to_pem("PKCS7", set)))->size(), 2U);
}

}  // namespace
}  // namespace meshtrust::pki
