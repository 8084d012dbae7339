package image

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"
)

// The parts of an SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3) that say
// which modules a binary is built from.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		CreationInfo  spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID               string       `json:"SPDXID"`
		Name             string       `json:"name"`
		Version          string       `json:"versionInfo"`
		DownloadLocation string       `json:"downloadLocation"`
		FilesAnalyzed    bool         `json:"filesAnalyzed"`
		LicenseConcluded string       `json:"licenseConcluded"`
		LicenseDeclared  string       `json:"licenseDeclared"`
		CopyrightText    string       `json:"copyrightText"`
		Checksums        []spdxSum    `json:"checksums,omitempty"`
		ExternalRefs     []spdxExtern `json:"externalRefs"`
	}
	spdxSum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxExtern struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

// noAssertion is SPDX for: this document does not say.
const noAssertion = "NOASSERTION"

var notOfID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// SBOM lists, as SPDX 2.3 in JSON, the modules that a binary is built from, as
// the Go linker has noted them in it.
func (r Release) SBOM(binary string, licences []Licence) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(raw))
	product := goPackage(info.Main.Path, r.Version, Licence{})
	for i, l := range licences {
		if l.Module == info.Main.Path {
			product = goPackage(l.Module, r.Version, l)
			licences = slices.Delete(slices.Clone(licences), i, i+1)
			break
		}
	}
	product.Checksums = []spdxSum{{"SHA256", sum}}
	d := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT",
		Name:          "landbridge-" + r.Version,
		Namespace:     "https://landbridge.dev/spdx/" + sum,
		CreationInfo:  spdxCreation{r.Created.UTC().Format(time.RFC3339), []string{"Tool: landbridge-lab"}},
		Packages:      []spdxPackage{product},
		Relationships: []spdxRelationship{{"SPDXRef-DOCUMENT", "DESCRIBES", product.ID}},
	}
	for _, l := range licences {
		p := goPackage(l.Module, l.Version, l)
		d.Packages = append(d.Packages, p)
		d.Relationships = append(d.Relationships, spdxRelationship{product.ID, "DEPENDS_ON", p.ID})
	}
	return json.MarshalIndent(d, "", " ")
}

func goPackage(module, version string, licence Licence) spdxPackage {
	return spdxPackage{
		ID:   "SPDXRef-" + notOfID.ReplaceAllString(module, "-"),
		Name: module, Version: version,
		DownloadLocation: noAssertion, CopyrightText: noAssertion,
		LicenseConcluded: licence.expression(), LicenseDeclared: licence.expression(),
		ExternalRefs: []spdxExtern{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + module + "@" + version}},
	}
}
