"""Readers of what the head-end keeps: files and pictures from plain rows. Knows no store."""
