package kube

import (
	"context"
	"fmt"
	"path/filepath"

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
// that RBAC gives to that ServiceAccount. The token lasts a day; Stop removes
// the file.
func (cp *ControlPlane) KubeconfigFor(ctx context.Context, namespace, serviceAccount string) (string, error) {
	seconds := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := cp.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of ServiceAccount %s/%s: %w", namespace, serviceAccount, err)
	}
	path := cp.file("%s-%s.kubeconfig", namespace, serviceAccount)
	return path, cp.writeKubeconfig(path, &api.AuthInfo{Token: answer.Status.Token})
}

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
