#!/bin/sh
# Takes another version of the contract viewer into vendor/swagger-ui: sh scripts/update-docs-viewer.sh 5.35.0
# Why it is kept here and is no dependency: docs/decisions/010-docs-viewer.md
set -eu
version=${1:?"name a version of swagger-ui-dist, such as 5.35.0"}
target=$(cd "$(dirname "$0")/.." && pwd)/vendor/swagger-ui
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# npm checks what it downloads against the registry's checksum. Nothing of the package is run.
cd "$work"
archive=$(npm pack --silent --ignore-scripts "swagger-ui-dist@$version")
tar -xzf "$archive"
mkdir -p "$target"
for file in swagger-ui-bundle.js swagger-ui.css; do gzip -9 -n -c "package/$file" > "$target/$file.gz"; done
cp package/LICENSE package/NOTICE package/swagger-ui-bundle.js.LICENSE.txt "$target/"
checksum=sha512-$(openssl dgst -sha512 -binary "$archive" | base64 | tr -d '\n')
cat > "$target/version.json" <<END
{
  "package": "swagger-ui-dist",
  "version": "$version",
  "integrity": "$checksum",
  "licence": "Apache-2.0"
}
END
echo "vendor/swagger-ui holds $version. Look at /_docs of an app, and name the version in CHANGELOG.md."
