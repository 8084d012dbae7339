package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Config is the administrator's: all rights, no limit on the rate of calls.
// The caller may change it, it is a copy.
func (cp *ControlPlane) Config() *rest.Config { return rest.CopyConfig(cp.config) }

// Kubeconfig is the path of the administrator's kubeconfig, which holds all
// that it needs. Stop removes it.
func (cp *ControlPlane) Kubeconfig() string { return filepath.Join(cp.dir, "admin.kubeconfig") }

// KubeconfigFor writes a kubeconfig with a fresh token of the ServiceAccount,
// which must exist, and returns its path. What uses it has exactly the rights
// that RBAC gives to that ServiceAccount. The token is in a file beside it, as
// in a pod, and lasts a day: see RenewToken. Stop removes both files.
func (cp *ControlPlane) KubeconfigFor(ctx context.Context, namespace, serviceAccount string) (string, error) {
	path := cp.file("%s-%s.kubeconfig", namespace, serviceAccount)
	if err := cp.RenewToken(ctx, path, namespace, serviceAccount); err != nil {
		return "", err
	}
	return path, cp.writeKubeconfig(path, &api.AuthInfo{TokenFile: tokenFile(path)})
}

// KubeconfigOf writes a kubeconfig with a certificate of the user, in the
// groups, and returns its path. Stop removes it.
func (cp *ControlPlane) KubeconfigOf(user string, groups ...string) (string, error) {
	pair, err := cp.pki.ca.client(user, groups...)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cp.dir, strings.ReplaceAll(user, ":", "-")+".kubeconfig")
	return path, cp.writeKubeconfig(path, &api.AuthInfo{ClientCertificateData: pair.cert, ClientKeyData: pair.key})
}

// CAFile is the path of the certificate that all of the cluster's are signed
// with.
func (cp *ControlPlane) CAFile() string { return filepath.Join(cp.dir, "ca.crt") }

// ServingCertificate writes a certificate and its key for a server of the
// cluster at an address. Stop removes them.
func (cp *ControlPlane) ServingCertificate(server string, at netip.Addr) (cert, key string, err error) {
	pair, err := cp.pki.ca.serving(server, []net.IP{at.AsSlice()}, nil)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(cp.dir, server+".crt"), filepath.Join(cp.dir, server+".key")
	return cert, key, errors.Join(os.WriteFile(cert, pair.cert, 0o600), os.WriteFile(key, pair.key, 0o600))
}

// RenewToken puts a new token of the ServiceAccount into the place of that of
// a kubeconfig, as a kubelet does for a pod. Who uses it finds out by itself.
func (cp *ControlPlane) RenewToken(ctx context.Context, kubeconfig, namespace, serviceAccount string) error {
	seconds := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := cp.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, request, metav1.CreateOptions{})
	if err == nil {
		err = os.WriteFile(tokenFile(kubeconfig), []byte(answer.Status.Token), 0o600)
	}
	if err != nil {
		return fmt.Errorf("token of ServiceAccount %s/%s: %w", namespace, serviceAccount, err)
	}
	return nil
}

func tokenFile(kubeconfig string) string { return kubeconfig + ".token" }

func (cp *ControlPlane) adminUser() *api.AuthInfo {
	return &api.AuthInfo{ClientCertificateData: cp.pki.admin.cert, ClientKeyData: cp.pki.admin.key}
}

// writeKubeconfig writes a kubeconfig with one cluster, this one, and one user.
func (cp *ControlPlane) writeKubeconfig(path string, user *api.AuthInfo) error {
	const name = "test"
	c := api.NewConfig()
	c.Clusters[name] = &api.Cluster{Server: cp.url(), CertificateAuthorityData: cp.pki.ca.cert}
	c.AuthInfos[name] = user
	c.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return nil
}

// restConfig reads a kubeconfig and lifts client-go's limit of 5 calls a second.
func restConfig(path string) (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	c.QPS = -1
	return c, nil
}
