// Bundles that other people made: what works is never called bad, what is bad never good.
#include "istio/acceptance.h"
#include "tests/pki/forge.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace meshtrust::istio {
namespace {

using namespace pki::testing;

/// The three answers, then every problem with its severity and what it makes a no.
std::string describe(const BundleVerdict& verdict) {
  std::string text = fmt::format("{} | {} | {}", name_of(verdict.outcome),
                                 name_of(verdict.workloads()), name_of(verdict.safety()));
  for (const BundleProblem& one : verdict.problems) {
    text += fmt::format("\n  {} {}{}{}{}", pki::name_of(one.severity), one.code,
                        one.stops_istiod ? " istiod" : "", one.breaks_workloads ? " workloads" : "",
                        one.is_unsafe ? " safe" : "");
  }
  return text;
}

PublicBundle bundle_of(const std::vector<Identity>& chain, const std::vector<Identity>& roots) {
  PublicBundle bundle{
      .ca_cert = chain.front().certificate.pem(), .cert_chain = {}, .root_cert = {}};
  for (const Identity& one : chain) {
    bundle.cert_chain += one.certificate.pem();
  }
  for (const Identity& one : roots) {
    bundle.root_cert += one.certificate.pem();
  }
  return bundle;
}

/// The same with another chain file.
PublicBundle shown_as(PublicBundle bundle, const std::vector<Identity>& chain) {
  bundle.cert_chain.clear();
  for (const Identity& one : chain) {
    bundle.cert_chain += one.certificate.pem();
  }
  return bundle;
}

Identity root_of(Key key, const std::string& name = "O=Shop,CN=Root") {
  Forgery wanted;
  wanted.key = std::move(key);
  wanted.subject = name;
  return forge_root(wanted);
}

Identity upper_below(const Identity& root) {
  return forge(intermediate_forgery("O=Shop,CN=Upper").with("basicConstraints", "critical,CA:TRUE"),
               root);
}

PublicBundle with_usage(const std::string& usage) {
  const Identity root = forge_root();
  return bundle_of({forge(intermediate_forgery().with("extendedKeyUsage", usage), root)}, {root});
}

PublicBundle signed_with(const char* digest, const Key& root_key, bool pss = false) {
  const Identity root = root_of(root_key);
  Forgery wanted = intermediate_forgery();
  wanted.digest = digest;
  wanted.pss = pss;
  return bundle_of({forge(wanted, root)}, {root});
}

/// Root and intermediate are called the same.
PublicBundle namesakes(bool has_authority_key_id) {
  const Identity root = forge_root();
  Forgery wanted = intermediate_forgery("O=Forge,CN=Root");
  if (!has_authority_key_id) wanted.with("authorityKeyIdentifier", "");
  return bundle_of({forge(wanted, root)}, {root});
}

/// One that is over, or ends within `left`, in front of one that everything hangs on.
PublicBundle beside_a_root_that_ends(base::Seconds left) {
  Forgery old;
  old.subject = "O=Shop,CN=Root of long ago";
  old.not_before = kNow - base::days(3000);
  old.not_after = kNow + left;
  const Identity root = forge_root();
  return bundle_of({forge(intermediate_forgery(), root)}, {forge_root(old), root});
}

PublicBundle all_over() {
  Forgery old;
  old.not_before = kNow - base::days(3000);
  old.not_after = kNow - base::days(10);
  const Identity root = forge_root(old);
  Forgery below = intermediate_forgery();
  below.not_before = old.not_before;
  below.not_after = old.not_after;
  return bundle_of({forge(below, root)}, {root});
}

/// A CA that was given a new key under its old name, with nothing to tell the two by but the key.
PublicBundle with_its_former_self_first() {
  const Identity root = forge_root();
  const auto one = [&root] {
    return forge(
        intermediate_forgery().with("subjectKeyIdentifier", "").with("authorityKeyIdentifier", ""),
        root);
  };
  const Identity now = one();
  return shown_as(bundle_of({now}, {root}), {one(), now, root});
}

/// The signing certificate has been renewed: the same key, and a root all the same.
PublicBundle with_the_key_of_a_root() {
  Forgery wanted;
  const Identity root = forge_root(wanted);
  wanted.serial = "02";
  const Identity renewed = forge_root(wanted);
  return bundle_of({renewed}, {root, renewed});
}

struct Case {
  const char* name;
  std::function<PublicBundle()> bundle;
  const char* expected;
};

const Identity& shop_root() {
  static const Identity root = forge_root();
  return root;
}
const Identity& shop_upper() {
  static const Identity upper = upper_below(shop_root());
  return upper;
}
const Identity& shop_east() {
  static const Identity east = forge(intermediate_forgery(), shop_upper());
  return east;
}
PublicBundle shop() {
  return bundle_of({shop_east(), shop_upper()}, {shop_root()});
}

const Case kCases[] = {
    {"a sound one", shop, "loads | yes | yes"},
    {"its chain the other way round",
     [] {
       return shown_as(shop(), {shop_root(), shop_upper(), shop_east()});
     },
     "loads | yes | yes\n  warning chain-order"},
    {"an issuer before what it issued",
     [] {
       return shown_as(shop(), {shop_east(), shop_root(), shop_upper()});
     },
     "loads | yes | yes\n  warning chain-order"},
    {"certificates twice, the root too",
     [] {
       PublicBundle bundle =
           shown_as(shop(), {shop_east(), shop_upper(), shop_upper(), shop_root()});
       bundle.root_cert += bundle.root_cert;
       return bundle;
     },
     "loads | yes | yes"},
    {"a gap in the chain",
     [] {
       return shown_as(shop(), {shop_east(), shop_root()});
     },
     "refuses to start | no | yes\n  critical chain-refused istiod"},
    {"a chain without the signing certificate",
     [] {
       const Identity west = forge(intermediate_forgery("O=Forge,CN=west"), shop_upper());
       return shown_as(shop(), {west, shop_upper()});
     },
     "loads | no | yes\n  critical chain-does-not-begin-with-ca-cert workloads"},
    {"a chain with a namesake of another key",
     [] {
       const Identity stale = forge(intermediate_forgery(), shop_upper());
       return shown_as(shop(), {stale, shop_upper()});
     },
     "loads | no | yes\n  critical chain-does-not-begin-with-ca-cert workloads"},
    {"an empty chain", [] { return shown_as(bundle_of({shop_upper()}, {shop_root()}), {}); },
     "loads | no | yes\n  critical chain-empty workloads"},
    {"for servers and clients", [] { return with_usage("serverAuth,clientAuth"); },
     "loads | yes | yes\n  note no-extended-key-usage"},
    {"for servers alone", [] { return with_usage("serverAuth"); },
     "loads | no | yes\n  critical no-extended-key-usage workloads"},
    {"for clients alone", [] { return with_usage("clientAuth"); },
     "refuses to start | no | yes\n  critical usage-stops-istiod istiod\n"
     "  critical no-extended-key-usage workloads"},
    {"signed with RSASSA-PSS", [] { return signed_with("SHA256", rsa_key(2048), true); },
     "loads | yes | yes\n  note signature-hash"},
    {"signed with SHA-512 by P-256", [] { return signed_with("SHA512", ec_key()); },
     "loads | yes | yes"},
    {"below a P-521", [] { return signed_with("SHA512", ec_key("P-521")); },
     "loads | yes | yes\n  warning key-p521"},
    {"below RSA-1024", [] { return signed_with("SHA256", rsa_key(1024)); },
     "loads | no | no\n  critical key-type workloads safe"},
    {"signed with SHA-1", [] { return signed_with("SHA1", rsa_key(2048)); },
     "refuses to start | no | no\n  critical signature-hash workloads safe\n"
     "  critical chain-refused istiod"},
    {"a name like its issuer's", [] { return namesakes(true); },
     "loads | yes | yes\n  warning subject-distinct"},
    {"a name like its issuer's, and nothing to tell them apart by", [] { return namesakes(false); },
     "loads | no | yes\n  critical subject-distinct workloads"},
    {"its own intermediate for a root",
     [] {
       const Identity east = forge(intermediate_forgery(), forge_root());
       return bundle_of({east, east}, {east});
     },
     "loads | yes | yes\n  warning anchor-is-no-root"},
    {"a root without room for it",
     [] {
       Forgery tight;
       const Identity root =
           forge_root(tight.with("basicConstraints", "critical,CA:TRUE,pathlen:0"));
       return bundle_of({forge(intermediate_forgery(), root)}, {root});
     },
     "loads | no | yes\n  critical path-too-long workloads"},
    {"a root beside it that is over", [] { return beside_a_root_that_ends(-base::days(10)); },
     "loads | yes | yes\n  warning root-holds-expired"},
    {"a root beside it that is nearly over", [] { return beside_a_root_that_ends(base::days(10)); },
     "loads | yes | yes\n  warning expires-soon"},
    {"a former self of its CA first", with_its_former_self_first,
     "loads | no | yes\n  warning subject-key-id-present\n  warning chain-order\n"
     "  critical workloads-refused workloads\n  critical workloads-refused workloads"},
    {"the key of a root", with_the_key_of_a_root,
     "loads | yes | yes\n  warning root-key-in-cluster\n  warning equal-root-subjects"},
    {"all over", all_over,
     "refuses to start | no | no\n  critical chain-refused istiod\n"
     "  critical expired workloads safe\n  critical expired workloads safe"},
};

TEST(BundlesOfOthers, GetThreeAnswersAndAdvice) {
  for (const Case& one : kCases) {
    const PublicBundle bundle = one.bundle();
    EXPECT_EQ(describe(judge_bundle({.bundle = bundle, .at = kNow})), one.expected) << one.name;
  }
}

TEST(BundlesOfOthers, AnswerNothingWhereNothingCanBeRead) {
  PublicBundle bundle = shop();
  bundle.root_cert = "nonsense\n";
  EXPECT_EQ(describe(judge_bundle({.bundle = bundle, .at = kNow})),
            "refuses to start | unknown | unknown\n  critical unreadable-file istiod");
}

TEST(BundlesOfOthers, InTheFormWithTlsCrtEndInANewline) {
  PublicBundle bundle = shop();
  bundle.ca_cert.pop_back();
  bundle.cert_chain = bundle.ca_cert + bundle.root_cert;
  const BundleVerdict verdict =
      judge_bundle({.bundle = bundle, .at = kNow, .form = BundleForm::kTls});
  EXPECT_EQ(verdict.outcome, LoadOutcome::kRefusesToStart);
  EXPECT_EQ(verdict.problems.front().message,
            "tls.crt does not end in a newline: istiod joins it with ca.crt as they are, and what "
            "comes of it is no PEM");
}

TEST(ObjectionToKey, TellsWhatStandsWhereAKeyIsWanted) {
  const auto block = [](const std::string& label, const std::string& body = "AAAA\n") {
    return "-----BEGIN " + label + "-----\n" + body + "-----END " + label + "-----\n";
  };
  const std::string key = block("EC PRIVATE KEY");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {key, ""},
      {block("EC PARAMETERS") + key,
       "begins with a block 'EC PARAMETERS', and istiod reads the first block alone"},
      {block("ENCRYPTED PRIVATE KEY"), "is encrypted, and istiod has no password for it"},
      {block("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n"),
       "is encrypted, and istiod has no password for it"},
      {block("CERTIFICATE") + key,
       "begins with a block 'CERTIFICATE', and istiod reads the first block alone"},
      {"no PEM", ""},
  };
  for (const auto& [pem, objection] : cases) {
    EXPECT_EQ(objection_to_key(base::Secret(pem)), objection) << pem;
  }
}

}  // namespace
}  // namespace meshtrust::istio
