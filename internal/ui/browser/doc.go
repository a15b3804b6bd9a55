// Package browser tests the page in headless Chromium, clicking every control
// against a live instance with real clients. It holds nothing but tests.
package browser
