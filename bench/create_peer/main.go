// Creates objects as fast as client-go can: the peer of the engines' own create rate.
//
// Every run is a Job or Workflow from the template and then its Secret with the object as owner, the same two writes
// that the engine does. It prints one line of JSON: {"count": 500, "seconds": 4.2}.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Collections of the kinds that a template may be of.
var resources = map[string]schema.GroupVersionResource{
	"Job":      {Group: "batch", Version: "v1", Resource: "jobs"},
	"Workflow": {Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"},
}

type options struct {
	kubeconfig, namespace, template, prefix string
	count, concurrency, secretBytes         int
}

func main() {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "path of the kubeconfig")
	flag.StringVar(&o.namespace, "namespace", "", "where to create them")
	flag.StringVar(&o.template, "template", "", "a JSON manifest of a Job or Workflow; NAME in it becomes the object's name")
	flag.StringVar(&o.prefix, "prefix", "peer", "of the names")
	flag.IntVar(&o.count, "count", 200, "how many")
	flag.IntVar(&o.concurrency, "concurrency", 10, "how many at once")
	flag.IntVar(&o.secretBytes, "secret-bytes", 2048, "size of each one's Secret; 0 for none")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "Cannot measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.namespace == "" || o.template == "" || o.count < 1 || o.concurrency < 1 {
		return fmt.Errorf("give -namespace, -template, and a -count and -concurrency of at least 1")
	}
	text, err := os.ReadFile(o.template)
	if err != nil {
		return err
	}
	first, err := objectFrom(text, "probe")
	if err != nil {
		return err
	}
	resource, known := resources[first.GetKind()]
	if !known {
		return fmt.Errorf("%s is of kind %q, neither Job nor Workflow", o.template, first.GetKind())
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	// The client's own limit (5 a second) would be all that is measured.
	config.QPS = -1
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}

	create := func(at int) error {
		name := fmt.Sprintf("%s-%d", o.prefix, at)
		object, err := objectFrom(text, name)
		if err != nil {
			return err
		}
		made, err := objects.Resource(resource).Namespace(o.namespace).Create(ctx, object, metav1.CreateOptions{})
		if err != nil || o.secretBytes == 0 {
			return err
		}
		_, err = typed.CoreV1().Secrets(o.namespace).Create(ctx, secretOf(made, o.secretBytes), metav1.CreateOptions{})
		return err
	}

	var next atomic.Int64
	var wait sync.WaitGroup
	failed := make(chan error, o.concurrency)
	began := time.Now()
	for range o.concurrency {
		wait.Go(func() {
			for at := int(next.Add(1)); at <= o.count; at = int(next.Add(1)) {
				if err := create(at); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wait.Wait()
	seconds := time.Since(began).Seconds()
	select {
	case err := <-failed:
		return err
	default:
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"count": o.count, "seconds": seconds})
}

func objectFrom(template []byte, name string) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	err := object.UnmarshalJSON([]byte(strings.ReplaceAll(string(template), "NAME", name)))
	if err != nil {
		return nil, err
	}
	object.SetName(name)
	return object, nil
}

func secretOf(owner *unstructured.Unstructured, bytes int) *corev1.Secret {
	immutable := true
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: owner.GetName(),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: owner.GetAPIVersion(), Kind: owner.GetKind(), Name: owner.GetName(), UID: owner.GetUID(),
			}},
		},
		Immutable:  &immutable,
		StringData: map[string]string{"document": strings.Repeat("x", bytes)},
	}
}
