#include "pki/sample_keys.h"

#include <algorithm>
#include <array>

namespace meshtrust::pki {
namespace {

/// From the certificates of istio/istio, whose private keys lie beside them.
constexpr std::array kSamples = {
    SampleKey{"bb1eae277ea4eb9f87a9a5ae2aaa737926874baeb1fda2d182f6c265689afa51",
              "7c688d91fd2d35b58fa648b28369437191e851c0", "samples/certs/root-cert.pem of 2024"},
    SampleKey{"33b56859d49574d5a08a943b8775b453dd82cff09d987b3c6a843a917b2ae0df",
              "dc7f78af2041735fd8afd53213e3492bf95a77ce", "samples/certs/ca-cert.pem of 2024"},
    SampleKey{"04fa51016a38927a13e504686f0ba9b873c5f8726939e6779c02a71019de6091",
              "94dad43b0df03b2222c84247d0e81ce9a7535559",
              "samples/certs/root-cert-alt.pem of 2024"},
    SampleKey{"a0ab4c860f031a15f4f1bffee1ee0e80e2f4364c121cfde9b4dc582cee53b0d1",
              "7590931ddc3907fd33d5cf728220d3a1ae354eec", "samples/certs/ca-cert-alt.pem of 2024"},
    SampleKey{"026d0b5ca7f2a1c165776980747c9980595ce780eb459a2f5595fa1746fed1bf",
              "e9cdca00334fd4e2b74f625e840fb9b3a707097a",
              "samples/certs/ca-cert-alt-2.pem of 2024"},
    SampleKey{"f0592d4d660052580d0c0bfe09f9a4d795ad8ab7c2fa86c33276fbb352145ee5",
              "394606b54ca17aec4ee2519ee0ea75cbc355a1a8", "samples/certs/root-cert.pem of 2018"},
    SampleKey{"42d8cfd1102e06e3f2579e68f9db4f787ec9cbcd1f19f1bae7934cee918c2fef", "",
              "samples/certs/ca-cert.pem of 2018"},
    SampleKey{"8e9aaa62d77bff6acb762def2ece27d5550b702752b8bdd5cd5ae3837e6f7344",
              "155f39520583d7a3eaa2617ff5814931fadf46ad",
              "samples/certs/root-cert-alt.pem of 2023"},
    SampleKey{"b943dbf353840d2debaf9cb6390de647b39c2560546065b6a4735d022ff86479",
              "df6994770edccefc4e96588827dac9c724bfc147", "samples/certs/ca-cert-alt.pem of 2023"},
    SampleKey{"42d0f6531c3afb84b72f12f458fa35dc74402771fed9b27ad48a665474dde501",
              "bdecbee7f4c95f8cd811e912f0e6a37ee3d38e60",
              "samples/certs/root-cert-combined-2.pem of 2023"},
    SampleKey{"7c5f2208b98507d0d6f1fda0a6609e93fbb7fb434d39ed78b71e305e23d7a46d",
              "2baef4cba986d2c329466924ae3d9b5daa5d1c28",
              "samples/certs/ca-cert-alt-2.pem of 2023"},
    SampleKey{"fbf6ccb2288eaa4bdbb8816d159e68ca86709899ec27589b8111c6453f6ed6cd",
              "3f236802758d1f03fed8d162cd62d6d21cf70b0d",
              "samples/certs/root-cert-alt.pem of 2021"},
    SampleKey{"59fcf80a09156379adde0690536a4abe88526360afa686a8a9b0d661c8c76fc0",
              "d2e365bbdc1f52359876ed9803b7a49d506b6127", "samples/certs/ca-cert-alt.pem of 2021"},
    SampleKey{"de41b22d98ecd50e88931e3f6ddc1c72dadbfca20370b650be889d41eeb04284",
              "4eb0fc3716fad7ff570f05fdb7e6f1807d9e9240", "samples/certs/root-cert.pem of 2020"},
    SampleKey{"bbf9a24fa65e35c447cbe141ae21e730993530b46885f8cc93f604e2316b036d",
              "f6a9fbe1be7931eb6f0209160c5c1ab3a4117817",
              "samples/certs/workload-foo-root-certs.pem, root"},
    SampleKey{"8f2a3113cc49070523eee316796114e95fe66318e7a823253a1ab2740b9a270a",
              "13cf48608eb41be87aec520f9b6205fbc23aba05",
              "samples/certs/workload-foo-root-certs.pem, CA"},
    SampleKey{"861be844b7e79b6cd828950e9d07d319cf6e1081e4d8246ffdd9c0aa7606f71e",
              "be5df8d41b2faf3b6fe4c291a6ad257e29853264",
              "security/samples/plugin_ca_certs/root-cert.pem"},
    SampleKey{"4db2ab0e0d7c3dc90d175cf2dc83be5f02a4aa8112b8ef6fd37d59bfd37efb36", "",
              "security/samples/plugin_ca_certs/ca-cert.pem"},
    SampleKey{"0a2e4ec60d95a1f520ae62951a93ab134e86f38650bea28b25300086b10ca769",
              "d0440ea7285167fb641e392e1454efa399c6ef87",
              "install/kubernetes/root-cert.pem of 2018"},
    SampleKey{"75c01be9b18b5b8f823452cd1154d2530677df90c218f3782cfd017126a8daa5",
              "9d8c8bc3bebd62815ed3460f27f9d5ab6748b10f", "samples/certs_tls/rootca/ec_ca.crt"},
    SampleKey{"743db12b504eb09c93ad0e45c40d6ce3507c8063a06fc3125d030e9d61ea1ae9",
              "acfe205bc1b8dd4c7bd2d1532f12ad3d304e5781",
              "samples/certs_tls/cluster1/istioca/parent_tls.crt"},
    SampleKey{"4a6c653777b781434be101eecbfc346177264e090ada8401334fd3768c7a7f6b",
              "a94ae1d293c5e36cf58f23e0af92a5e43b8de48e",
              "samples/certs_tls/cluster1/istioca/leaf_tls.crt"},
    SampleKey{"ee087b4b06e45ab3596dacd51ff5176c7b3f28196115374040f0269f4b36b5a9", "",
              "samples/certs/workload-foo-cert.pem of 2023"},
    SampleKey{"7e478675bd4986527e518c0c2641310a5bc7e28ecd06e9ab33684f1e1d80a1b4",
              "cfca6579be685ae3bdc7be84518add3657f55459",
              "samples/certs/workload-foo-cert.pem of 2024"},
    SampleKey{"ea6a6c986f1f857db9220ae417f72720e6a3f789e06a85a7e92052c36fa10e58", "",
              "samples/certs/workload-bar-cert.pem of 2023"},
    SampleKey{"c8867a44dbb0f1acf04a29353da61d361511782d9722357d140c163b5bcc001d", "",
              "samples/certs/workload-bar-cert.pem of 2020"},
    SampleKey{"0bd9cfb28bfe4d650c992bfe0a181b12a8b932021e48eeee7b2a372511e04e11", "",
              "security/pkg/pki/testdata/multilevelpki/ecc-root-cert.pem"},
    SampleKey{"730d266370c07488b1930a8333add8e7c99356f0876ee3405ccfd6505fed2ba3", "",
              "security/pkg/pki/testdata/multilevelpki/ecc-int-cert.pem"},
    SampleKey{"2e8bd33a2b50c6ce96e5ebafc24c8fc5bd41d04b8a394cedb7abeab89a54dd33", "",
              "security/pkg/pki/testdata/multilevelpki/ecc-int2-cert.pem"},
    SampleKey{"4c2b051529b44c0466f0ebd0e3820ec03bebe1f11f757a9fddac85895c111bcf",
              "9bd9d63f975cc051a449f24f4a1f5917ebb659fa",
              "security/pkg/pki/testdata/crl/ca-cert.pem"},
    SampleKey{"37d7e54d57c3cb33fd4342d8a8c649b73f66e2a19f2da1de98e83d22fccad015",
              "7e861b173ddd2334606569e3ef23571d99cff5e4",
              "security/pkg/pki/testdata/crl/root-cert.pem"},
    SampleKey{"b087c730ae67c5d4cc9bb4d54162aa7d5e5290204a92150eb0ec14eae6639d03",
              "65c5d2acd3d0f2caeb60bc3289893b1a3a78c41f",
              "tests/testdata/certs/default/root-cert.pem"},
    SampleKey{"090a0fd81b10ec8993cc32f56c20fc445210702f1ebb00c0c316d07f7074b21d",
              "2d580f717d44c2da5b5c4cbae40ddbb4a65f3b0c",
              "tests/testdata/certs/pilot/root-cert.pem"},
};

}  // namespace

std::span<const SampleKey> sample_keys() {
  return kSamples;
}

const SampleKey* find_sample_key(std::string_view key_id) {
  const auto found = std::ranges::find(kSamples, key_id, &SampleKey::key_id);
  return found == kSamples.end() ? nullptr : &*found;
}

const SampleKey* find_sample_by_identifier(std::string_view subject_key_id) {
  if (subject_key_id.empty()) return nullptr;
  const auto found = std::ranges::find(kSamples, subject_key_id, &SampleKey::subject_key_id);
  return found == kSamples.end() ? nullptr : &*found;
}

}  // namespace meshtrust::pki
