// Package charts holds the Helm chart's tests. They are a module of their own:
// Helm and Prometheus, whose libraries they use, stay out of the product's.
package charts
