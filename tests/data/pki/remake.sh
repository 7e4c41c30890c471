#!/bin/sh
# Makes every fixture of this folder anew with the openssl program (3.0). See README.md.
set -eu
cd "$(dirname "$0")"

cd keys
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256-pkcs8.pem
openssl ec -in p256-pkcs8.pem -out p256-sec1.pem 2>/dev/null
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384-pkcs8.pem
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521-pkcs8.pem
openssl ec -in p256-pkcs8.pem -param_enc explicit -out p256-explicit.pem 2>/dev/null
openssl ecparam -name prime256v1 -genkey -out p256-parameters-first.pem
openssl genpkey -quiet -algorithm ED25519 -out ed25519.pem
openssl genrsa -out rsa1024.pem 1024 2>/dev/null
openssl genrsa -out rsa2048-pkcs8.pem 2048 2>/dev/null
openssl rsa -in rsa2048-pkcs8.pem -traditional -out rsa2048-pkcs1.pem 2>/dev/null
openssl rsa -in rsa2048-pkcs8.pem -traditional -aes128 -passout pass:legacy -out rsa2048-legacy-encrypted.pem 2>/dev/null
openssl pkcs8 -topk8 -in p256-pkcs8.pem -v2 aes-256-cbc -passout pass:fixture -out p256-pbkdf2.pem
openssl pkcs8 -topk8 -in p256-pkcs8.pem -v1 PBE-SHA1-3DES -passout pass:fixture -out p256-pbes1.pem

cd ../objects
openssl req -new -key ../keys/p256-pkcs8.pem -subj '/O=Shop/CN=east' \
  -addext 'subjectAltName=DNS:istiod.istio-system.svc,URI:spiffe://shop/ns/a/sa/b,IP:10.0.0.1' -out request.pem
openssl req -x509 -new -key ../keys/rsa2048-pkcs8.pem -subj '/O=Shop/CN=Old Root' -days 36500 -out root.pem
openssl x509 -in root.pem -outform DER -out root.der

p12() { openssl pkcs12 -export -inkey ../keys/rsa2048-pkcs8.pem -in root.pem -passout "pass:$1" -out "$2" $3; }
p12 fixture bundle.p12 ''
p12 '' bundle-empty.p12 ''
p12 fixture bundle-no-mac.p12 -nomac
p12 fixture bundle-rc2.p12 -legacy

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index"
echo 07 > "$work/crlnumber"
cat > "$work/ca.cnf" <<CONF
[ca]
default_ca = it
[it]
database = $work/index
crlnumber = $work/crlnumber
default_md = sha256
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid:always
CONF
printf 'R\t350101000000Z\t260101000000Z,keyCompromise\t0A1B2C\tunknown\t/CN=lost\n' > "$work/index"
openssl ca -config "$work/ca.cnf" -gencrl -crldays 36500 -keyfile ../keys/rsa2048-pkcs8.pem -cert root.pem -out crl.pem 2>/dev/null

# What a foreign tool made, and this code must cope with.
key=../keys/p256-pkcs8.pem
ca='basicConstraints=critical,CA:TRUE'
usage='keyUsage=critical,keyCertSign,cRLSign'
cat > "$work/empty.cnf" <<CONF
[req]
distinguished_name = name
string_mask = MASK:0x2002
[name]
CONF
openssl req -x509 -new -config "$work/empty.cnf" -key $key -subj '/O=Printable/CN=Foreign Root' -days 36500 \
  -addext "$ca" -addext "$usage" -addext subjectKeyIdentifier=hash -out printable-root.pem
openssl req -x509 -new -config "$work/empty.cnf" -key $key -subj '/CN=Bare' -days 36500 \
  -addext "$ca" -addext "$usage" -addext subjectKeyIdentifier=none -out bare-root.pem
openssl req -x509 -new -config "$work/empty.cnf" -multivalue-rdn -key $key -days 36500 \
  -subj "$(printf '/O=a\033[2J+OU=b,c/CN=x\\=y')" -out strange-name.pem
openssl req -new -config "$work/empty.cnf" -key $key -subj '/O=Shop/CN=Upper' -out "$work/upper.csr"
printf '%s\n%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n' "$ca" "$usage" > "$work/upper.ext"
openssl x509 -req -in "$work/upper.csr" -CA root.pem -CAkey ../keys/rsa2048-pkcs8.pem -days 36500 \
  -extfile "$work/upper.ext" -out upper.pem 2>/dev/null

# What inspection must say, from openssl's own mouth.
digest() { sha256sum | cut -d' ' -f1; }
crl_time() { openssl crl -in crl.pem -noout "-$1" -dateopt iso_8601 | sed 's/.*=//; s/ /T/'; }
cat > request.json <<JSON
{
  "dnsNames": ["istiod.istio-system.svc"],
  "fingerprint": "$(openssl req -in request.pem -outform DER | digest)",
  "ipAddresses": ["10.0.0.1"],
  "keyId": "$(openssl pkey -in $key -pubout -outform DER | digest)",
  "keyType": "ecdsa-p256",
  "kind": "CertificateRequest",
  "requestedExtensions": ["subjectAltName"],
  "signatureAlgorithm": "ecdsa-with-SHA256",
  "signatureValid": true,
  "source": "file",
  "subject": "O=Shop,CN=east",
  "uris": ["spiffe://shop/ns/a/sa/b"]
}
JSON
cat > crl.json <<JSON
{
  "authorityKeyId": "$(openssl x509 -in root.pem -noout -ext subjectKeyIdentifier | tail -1 | tr -d ' :' | tr A-F a-f)",
  "fingerprint": "$(openssl crl -in crl.pem -outform DER | digest)",
  "issuer": "O=Shop,CN=Old Root",
  "kind": "CertificateRevocationList",
  "nextUpdate": "$(crl_time nextupdate)",
  "number": "07",
  "revoked": ["0a1b2c"],
  "revokedCount": 1,
  "signatureAlgorithm": "sha256WithRSAEncryption",
  "source": "file",
  "thisUpdate": "$(crl_time lastupdate)"
}
JSON
